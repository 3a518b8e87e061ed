/**
 * One TCP transfer of pseudo-random bytes with a digest at both ends.
 *   node transfer.mjs receive ADDRESS PORT        prints the digest of what came, then ends
 *   node transfer.mjs send ADDRESS PORT BYTES     prints the digest of what went, then ends
 */
import { createCipheriv, createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';

const [role, address, port, bytes] = process.argv.slice(2);
const digest = createHash('md5');

if (role === 'receive') {
  const server = createServer((socket) => {
    socket.on('data', (chunk) => digest.update(chunk));
    socket.on('end', () => {
      socket.end();
      console.log(digest.digest('hex'));
      server.close();
    });
  });
  server.listen(Number(port), address);
} else {
  // AES-CTR over zeros: bytes that no error can be hidden in, cheap to make.
  const source = createCipheriv('aes-128-ctr', Buffer.alloc(16, process.pid), Buffer.alloc(16));
  const block = Buffer.alloc(1 << 16);
  let left = Number(bytes);
  const socket = connect(Number(port), address);
  const write = () => {
    while (left > 0) {
      const chunk = source.update(block.subarray(0, Math.min(left, block.length)));
      left -= chunk.length;
      digest.update(chunk);
      if (!socket.write(chunk)) return socket.once('drain', write);
    }
    socket.end();
  };
  socket.once('connect', write);
  socket.once('close', () => console.log(digest.digest('hex')));
  socket.resume();
}
