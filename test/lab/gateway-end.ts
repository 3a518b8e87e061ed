import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { wgQuickText } from './tunnel-config.js';
import { TunnelEnd } from './tunnel-end.js';
import { until } from './wait.js';

export const PROGRAM = fileURLToPath(new URL('../../dist/cloudbridge-gateway.js', import.meta.url));
/** What `npm run build:xs` makes. */
export const XS_PROGRAM = fileURLToPath(new URL('../../dist/xs/linux/cloudbridge-gateway', import.meta.url));

/**
 * The words that start a gateway. GATEWAY_ENGINE is `node` (the default), `xs`, or a command with `{config}` and `{name}`
 * in it, such as `/opt/gateway-xs up {config} --name {name}`; GATEWAY_TIER picks a tier of the Node host.
 */
export function gatewayCommand(config: string, name: string): string[] {
  const engine = process.env.GATEWAY_ENGINE ?? 'node';
  if (engine === 'xs') return [XS_PROGRAM, 'up', config, '--name', name];
  if (engine !== 'node')
    return engine.split(' ').map((word) => word.replace('{config}', config).replace('{name}', name));
  const tier = process.env.GATEWAY_TIER;
  return [process.execPath, PROGRAM, 'up', config, '--name', name, ...(tier ? ['--tier', tier] : [])];
}

/** Our gateway, started as a user starts it: one wg-quick file. */
export class GatewayEnd extends TunnelEnd {
  /** More options for the command line. */
  options: string[] = [];

  get configFile(): string {
    return join(this.lab.directory, `${this.name}.conf`);
  }

  get environment(): Record<string, string> {
    return { STATE_DIRECTORY: this.lab.subdirectory('state'), NO_COLOR: '1' };
  }

  override async start(): Promise<void> {
    writeFileSync(this.configFile, wgQuickText(this.config), { mode: 0o600 });
    this.process = this.space.spawn([...gatewayCommand(this.configFile, this.name), ...this.options], {
      environment: this.environment,
      logFile: this.logFile,
    });
    await this.socketAppears();
    await until(`${this.name} is up\n${this.log()}`, 10_000, async () => {
      if (!this.running) throw new Error(`${this.name} ended while starting:\n${this.log()}`);
      const { code, stdout } = await this.space.run(['ip', '-o', 'address', 'show', this.name]);
      return code === 0 && this.config.addresses.every((address) => stdout.includes(address.split('/')[0]));
    });
  }
}
