/** An end of the soak's tunnel that is ours, and what it tells of itself. */

import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TierChoice } from '../../host/gateway/request.js';
import { type GatewayStatus, STATUS_OPERATION } from '../../src/gateway/status.js';
import type { Timing } from '../../src/wireguard/constants.js';
import type { Lab } from '../lab/lab.js';
import type { Namespace } from '../lab/namespace.js';
import { type TunnelConfig, wgQuickText } from '../lab/tunnel-config.js';
import { TunnelEnd } from '../lab/tunnel-end.js';
import { bundleGateway } from './bundle.js';

export interface SoakEndOptions {
  readonly tier: TierChoice;
  /** Seconds between two key changes. */
  readonly rekey: number;
}

/** The paper's intervals, shrunk to rekeys each so many seconds; what ends keys stays behind what renews them. */
function timing(rekey: number): Partial<Timing> {
  const ms = rekey * 1000;
  return {
    rekeyAfterTime: ms,
    rejectAfterTime: ms * 1.8,
    keepaliveTimeout: Math.min(10_000, ms / 2),
    rekeyTimeout: Math.min(5_000, ms / 4),
  };
}

export class SoakEnd extends TunnelEnd {
  readonly #options: SoakEndOptions;

  constructor(lab: Lab, space: Namespace, config: TunnelConfig, options: SoakEndOptions) {
    super(lab, space, config);
    this.#options = options;
  }

  override async start(): Promise<void> {
    const file = join(this.lab.directory, `${this.name}.conf`);
    writeFileSync(file, wgQuickText(this.config), { mode: 0o600 });
    const { tier, rekey } = this.#options;
    const words = [file, this.name, tier, this.lab.subdirectory('state'), JSON.stringify(timing(rekey))];
    this.process = this.space.spawn([process.execPath, await bundleGateway(), ...words], {
      logFile: this.logFile,
    });
    await this.socketAppears(30_000);
  }

  /** What `status --json` would print. */
  statusDocument(): Promise<GatewayStatus> {
    return new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(this.socketPath, () => socket.end(`${STATUS_OPERATION}\n\n`));
      socket.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      socket.once('error', reject).once('close', () => {
        try {
          resolve(JSON.parse(text.split('\n')[0]));
        } catch {
          reject(new Error(`${this.name} tells no status: ${text}`));
        }
      });
    });
  }
}
