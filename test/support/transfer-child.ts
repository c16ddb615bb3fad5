import { BlobSource } from '../../src/mirror/blob-source.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { parseDigest } from '../../src/registry/digest.js';
import { parseReference } from '../../src/registry/reference.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { FileUploadSessions } from '../../src/store/upload-sessions.js';
import { ref } from './images.js';

// One blob from a source to a target, as a worker brings it. A process of its own, to be killed.
const [directory = '', from = '', to = '', digestText = '', size = '', way = ''] = process.argv.slice(2);
const digest = parseDigest(digestText);
const blob = { mediaType: 'application/octet-stream', digest, size: Number(size) };
const content = await DirectoryContentStore.open(directory);
const sessions = await FileUploadSessions.open(directory);
const client = new RegistryClient({ credentials: anonymous, insecureHosts: [], sessions });
const { signal } = new AbortController();
const fetcher = new SourceFetcher(client, content);
const task = { source: ref(`${from}:1`) };
// What a scan or an engine waits for is kept meanwhile, and sent from there.
const kept = way === 'kept' ? fetcher.arrive(task.source, blob, { signal }) : undefined;
const source = new BlobSource(blob, false, task, { content, fetcher }, signal);
const { how } = await client.ensureBlob(parseReference(to), blob, (part) => source.open(part, false), {
  signal,
});
await source.settle();
await kept?.done;
await client.close();
process.stdout.write(how);
