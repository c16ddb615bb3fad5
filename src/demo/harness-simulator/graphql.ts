import { z } from 'zod';
import { INFRAS } from '../../contract/run.js';
import { type Answer, undocumented } from './answers.js';
import type { SimulatedCall } from './routes.js';
import type { SimulatorState } from './state.js';

/** A corner of FirstGen's schema: enough to be a valid one that has no CI images. */
const FIRST_GEN = `
  type Query { application(applicationId: String!): Application }
  type Application { id: String name: String }
`;
/** What our query asks for, which no account has today. */
const WITH_CI_IMAGES = `
  ${FIRST_GEN}
  extend type Query { ciExecutionImages(accountId: String!, infra: [String!]!): [CiImages!]! }
  type CiImages { infra: String! defaults: [CiImage!]! overrides: [CiImage!]! }
  type CiImage { field: String! value: String! }
`;

const requestBody = z.strictObject({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).optional(),
  operationName: z.string().nullish(),
});

/** Harness FirstGen's GraphQL endpoint, which knows an account by another name of the parameter than REST does. */
export async function graphqlAnswer(
  { account, state }: { account: string; state: SimulatorState },
  { method, query, json, contentType }: SimulatedCall,
): Promise<Answer> {
  if (method !== 'POST' || !/^application\/json\b/.test(contentType))
    return undocumented('GraphQL other than by a POST of application/json');
  if ([...query.keys()].join() !== 'accountId' || query.get('accountId') !== account)
    return undocumented('accountId is missing, not the account of the API key, or not alone');
  const asked = requestBody.safeParse(json).data;
  if (asked === undefined) return undocumented('GraphQL takes {"query","variables","operationName"}');
  const { buildSchema, GraphQLError, graphql } = await import('graphql');
  const { data, errors } = await graphql({
    schema: buildSchema(state.graphqlHasImages ? WITH_CI_IMAGES : FIRST_GEN),
    source: asked.query,
    variableValues: asked.variables ?? {},
    operationName: asked.operationName ?? null,
    rootValue: {
      ciExecutionImages: (of: { accountId: string; infra: readonly string[] }) => {
        const infras = INFRAS.filter((infra) => of.infra.includes(infra));
        if (of.accountId !== account || infras.length < of.infra.length)
          throw new GraphQLError('User not authorized.');
        return infras.map((infra) => ({
          infra,
          defaults: pairs(state.defaults[infra]),
          overrides: pairs(state.read(infra)),
        }));
      },
    },
  });
  if (errors === undefined) return { status: 200, body: { data } };
  const told = errors.map(({ message, locations }) => ({ message: asJava(message), locations }));
  return { status: 200, body: { ...(data === undefined ? {} : { data }), errors: told } };
}

const pairs = (fields: Record<string, string>): { field: string; value: string }[] =>
  Object.entries(fields).map(([field, value]) => ({ field, value }));

/** FirstGen runs on graphql-java, which words an unknown field in its own way. */
function asJava(message: string): string {
  const [, field, type] = /^Cannot query field "(\w+)" on type "(\w+)"/.exec(message) ?? [];
  return field === undefined
    ? message
    : `Validation error of type FieldUndefined: Field '${field}' in type '${type}' is undefined @ '${field}'`;
}
