import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { parseDigest } from '../../src/registry/digest.js';
import { parseReference } from '../../src/registry/reference.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { FileUploadSessions } from '../../src/store/upload-sessions.js';

// One blob from a source through the content store to a target, as a worker does it. A process of its own, to be killed.
const [directory = '', from = '', to = '', digestText = '', size = ''] = process.argv.slice(2);
const digest = parseDigest(digestText);
const blob = { mediaType: 'application/octet-stream', digest, size: Number(size) };
const content = await DirectoryContentStore.open(directory);
const sessions = await FileUploadSessions.open(directory);
const client = new RegistryClient({ credentials: anonymous, insecureHosts: [], sessions });
const [source, target] = [parseReference(from), parseReference(to)];
const { signal } = new AbortController();
// As a push does where nothing was scanned: what comes is sent on at once.
const arriving = content.arrive(blob, (stop, at) => client.blob(source, blob, stop, at), { signal });
const { how } = await client.ensureBlob(target, blob, (part) => arriving.open(part), { signal });
await arriving.done;
await client.close();
process.stdout.write(how);
