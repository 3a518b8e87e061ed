/**
 * One TCP flow that goes on until it is told to end, with an md5 digest of every so many bytes at both ends.
 *   node stream.mjs receive ADDRESS PORT CHUNK
 *   node stream.mjs send ADDRESS PORT CHUNK        ends on SIGTERM
 * Prints `bytes N` each second, `digest I HEX` after each chunk, and last `end N HEX` with the digest of what was left.
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const [role, address, port, chunkBytes] = process.argv.slice(2);
const chunk = Number(chunkBytes);
let total = 0;
let digest = createHash('md5');

function account(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const part = bytes.subarray(at, at + chunk - (total % chunk));
    digest.update(part);
    at += part.length;
    total += part.length;
    if (total % chunk !== 0) continue;
    console.log(`digest ${total / chunk} ${digest.digest('hex')}`);
    digest = createHash('md5');
  }
}

function finish() {
  clearInterval(progress);
  console.log(`end ${total} ${digest.digest('hex')}`);
}

const progress = setInterval(() => console.log(`bytes ${total}`), 1000);

if (role === 'receive') {
  const server = createServer((socket) => {
    server.close();
    socket.on('data', account);
    socket.on('end', () => {
      finish();
      socket.end();
    });
    socket.on('error', (error) => {
      console.log(`error ${error.message}`);
      process.exit(1);
    });
  });
  server.listen(Number(port), address);
} else {
  // A cipher over zeros: bytes in which no error hides, different in every flow, cheap to make.
  const source = createCipheriv('aes-128-ctr', randomBytes(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(1 << 16);
  let ending = false;
  let wake = () => {};
  process.once('SIGTERM', () => {
    ending = true;
    wake();
  });
  const socket = connect(Number(port), address);
  socket.on('error', (error) => {
    console.log(`error ${error.message}`);
    process.exit(1);
  });
  socket.resume();
  await once(socket, 'connect');
  while (!ending) {
    const bytes = source.update(zeros);
    account(bytes);
    if (socket.write(bytes)) continue;
    await new Promise((resolve) => {
      wake = resolve;
      socket.once('drain', resolve);
    });
  }
  finish();
  socket.end();
}
