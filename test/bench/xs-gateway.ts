/** The firmware's Linux program, which `npm run build:xs` makes, among the programs that are compared. */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { XS_PROGRAM } from '../lab/gateway-end.js';
import { type Description, deviceText, End, type EndConfig, MTU, type Program } from './program.js';

export class XsGateway implements Program {
  readonly name: string;
  readonly version: string;
  /** A board's; more take long to read in an interpreter. */
  readonly mostPeers = 1_000;
  readonly #tier: string;

  /** `auto`, `offload` or `portable`. */
  constructor(tier: string) {
    this.#tier = tier;
    this.name = tier === 'auto' ? 'cloudbridge XS' : `cloudbridge XS ${tier}`;
    const version = execFileSync(XS_PROGRAM, ['--version'], { encoding: 'utf8' }).trim();
    this.version = `cloudbridge-gateway ${version} on Moddable XS`;
  }

  async start(config: EndConfig, onSocket?: () => void): Promise<End> {
    const file = join(config.directory, `${config.name}.conf`);
    const own = [`Address = ${config.address}`, `MTU = ${MTU}`, 'Table = off'];
    writeFileSync(file, deviceText(config, own), { mode: 0o600 });
    const words = ['--name', config.name, '--tier', this.#tier, '--state-dir', join(config.directory, 'xs')];
    const end = new End(config, [XS_PROGRAM, 'up', file, ...words, '--log-level', 'warn'], {});
    await end.answers();
    onSocket?.();
    return end;
  }

  describe(end: End): Promise<Description> {
    return new Promise((resolve) => {
      let text = '';
      const socket = connect(`/var/run/wireguard/${end.config.name}.sock`, () => socket.end('status=1\n\n'));
      socket.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      socket
        .once('error', () => resolve({ notes: '' }))
        .once('close', () => {
          try {
            const { mode, tier } = JSON.parse(text.split('\n')[0]);
            resolve({ notes: `mode ${mode}, tier ${tier}`, tier });
          } catch {
            resolve({ notes: '' });
          }
        });
    });
  }
}
