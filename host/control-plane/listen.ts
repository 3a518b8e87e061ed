import type { AddressInfo, Server } from 'node:net';

/** Resolves to the port (0: any free one was wanted); rejects with the system's reason. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
