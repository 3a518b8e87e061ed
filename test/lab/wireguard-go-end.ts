import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wgText } from './tunnel-config.js';
import { TunnelEnd } from './tunnel-end.js';

/** Debian's wireguard-go, configured by the real `wg` and `ip`. */
export class WireGuardGoEnd extends TunnelEnd {
  override async start(): Promise<void> {
    this.process = this.space.spawn(['wireguard-go', this.name], {
      environment: { WG_PROCESS_FOREGROUND: '1', LOG_LEVEL: 'verbose' },
      logFile: this.logFile,
    });
    await this.socketAppears();
    const file = join(this.lab.directory, `${this.name}.wg`);
    writeFileSync(file, wgText(this.config), { mode: 0o600 });
    await this.wg('setconf', this.name, file);
    for (const address of this.config.addresses) this.space.ip(`address add ${address} dev ${this.name}`);
    this.space.ip(`link set ${this.name} mtu ${this.config.mtu ?? 1420} up`);
    for (const peer of this.config.peers)
      for (const prefix of peer.allowedIps) this.space.ip(`route replace ${prefix} dev ${this.name}`);
  }
}
