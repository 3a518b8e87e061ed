// An HTTP proxy as corporate networks have it: CONNECT to port 443 only, for who knows the password.
// node http-proxy.mjs ADDRESS PORT USER:PASSWORD

import { createServer } from 'node:http';
import { connect } from 'node:net';

const [address, port, credentials] = process.argv.slice(2);
const wanted = `Basic ${Buffer.from(credentials).toString('base64')}`;

createServer((_, response) => response.writeHead(403).end())
  .on('connect', (request, client) => {
    client.on('error', () => {});
    const refuse = (status, header = '') =>
      client.end(`HTTP/1.1 ${status}\r\n${header}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    if (request.headers['proxy-authorization'] !== wanted) {
      refuse('407 Proxy Authentication Required', 'Proxy-Authenticate: Basic realm="site"\r\n');
      return;
    }
    const [host, to] = request.url.split(':');
    if (to !== '443') {
      refuse('403 Forbidden');
      return;
    }
    const server = connect(443, host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      server.pipe(client).pipe(server);
    });
    server.on('error', () => client.destroy());
    client.on('close', () => server.destroy());
  })
  .listen(Number(port), address);
