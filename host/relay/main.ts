#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../control-plane/duration.js';
import { type LogFormat, openLog } from '../gateway/log.js';
import { packageVersion } from '../gateway/version.js';
import { RELAY_OPTIONS, type RelayOptions } from './options.js';
import { RelayServer } from './server.js';
import { formatTargetRule, parseTargetRule, type TargetRule } from './targets.js';
import { TokenGate } from './token-gate.js';

const EXAMPLES = `
Examples:
  cloudbridge-relay serve --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem \\
      --jwks https://control.example/.well-known/jwks.json --issuer https://control.example \\
      --allow 203.0.113.0/24:51820
  cloudbridge-relay serve ... --limit bandwidth=5000000 --limit tunnelsPerGateway=4 --metrics 127.0.0.1:9101
  cloudbridge-relay check 203.0.113.7 51820 --allow 203.0.113.0/24:51820

Gateways of one tenant that ask for each other meet without any --allow; an address is reached only if one names it.`;

interface ServeOptions {
  listen: { host: string; port: number };
  tlsCert: string;
  tlsKey: string;
  jwks: string;
  issuer: string;
  allow: TargetRule[];
  limit: [keyof RelayOptions, number][];
  idle?: number;
  life?: number;
  metrics?: { host: string; port: number };
  logFormat?: LogFormat;
  json?: boolean;
}

function program(): Command {
  const root = new Command('cloudbridge-relay')
    .description('Carries the sealed datagrams of gateways that UDP does not reach. It cannot read them.')
    .version(packageVersion(), '-V, --version')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(see "cloudbridge-relay --help")');
  root
    .command('serve')
    .description('CONNECT-UDP over HTTP/1.1 and HTTP/2, and WebSocket, on one TLS port, in the foreground')
    .option('--listen <address:port>', 'where to listen', readListen, { host: '0.0.0.0', port: 443 })
    .requiredOption('--tls-cert <file>', 'certificate chain, PEM')
    .requiredOption('--tls-key <file>', 'private key, PEM')
    .requiredOption('--jwks <url|file>', "the control plane's keys, which tokens are verified with")
    .requiredOption('--issuer <url>', 'the control plane, as its tokens name it')
    .option('--allow <prefix[:port[-port]]>', 'a target that is forwarded to; repeatable', collectRules, [])
    .option('--idle <time>', 'end a tunnel to a UDP target without traffic', readDuration)
    .option('--life <time>', 'end any tunnel', readDuration)
    .option('--limit <name=number>', 'another bound than the usual one; repeatable', collectLimits, [])
    .option('--metrics <address:port>', 'serve /metrics and /healthz there, without TLS', readListen)
    .addOption(new Option('--log-format <format>', 'json or human').choices(['json', 'human']))
    .option('--json', 'say on standard output, as one line of JSON, where it listens')
    .action((options: ServeOptions) => serve(options));
  root
    .command('check')
    .description('say whether a target would be forwarded to, and why not')
    .argument('<address>')
    .argument('<port>')
    .option('--allow <prefix[:port[-port]]>', 'as for serve; repeatable', collectRules, [])
    .option('--json', 'for programs')
    .action(check);
  return root;
}

async function serve(options: ServeOptions): Promise<void> {
  const log = openLog(options.logFormat ?? (process.stderr.isTTY ? 'human' : 'json'), 'info');
  const limits: Partial<Record<keyof RelayOptions, number>> = Object.fromEntries(options.limit);
  if (options.idle !== undefined) limits.idle = options.idle;
  if (options.life !== undefined) limits.life = options.life;
  const { host, port } = options.listen;
  const relay = await RelayServer.start({
    host,
    port,
    tls: { cert: readFileSync(options.tlsCert, 'utf8'), key: readFileSync(options.tlsKey, 'utf8') },
    gate: TokenGate.open(options.jwks, options.issuer),
    allow: options.allow,
    options: limits,
    metrics: options.metrics,
    log,
  });
  const allow = options.allow.map(formatTargetRule);
  log.write('info', 'serving', { host, port: relay.port, allow: allow.join(', ') || 'meetings only' });
  if (options.json) {
    const said = { host, port: relay.port, metrics: relay.metricsPort ?? null, allow };
    process.stdout.write(`${JSON.stringify(said)}\n`);
  }
  const stop = (signal: NodeJS.Signals): void => {
    log.write('info', 'leaving', { reason: signal, tunnels: relay.tunnels });
    void relay.stop().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

async function check(
  address: string,
  port: string,
  options: { allow: TargetRule[]; json?: boolean },
): Promise<void> {
  const { Targets } = await import('./targets.js');
  const path = `/.well-known/masque/udp/${encodeURIComponent(address)}/${port}/`;
  const answer = new Targets(options.allow).judge(path);
  const said = answer.ok
    ? { allowed: true }
    : { allowed: false, status: answer.status, reason: answer.reason };
  if (options.json) process.stdout.write(`${JSON.stringify(said)}\n`);
  else process.stdout.write(`${answer.ok ? 'forwarded' : `refused (${answer.status}): ${answer.reason}`}\n`);
  if (!answer.ok) process.exitCode = 1;
}

function readListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (!match || isIP(host) === 0 || Number(match[3]) > 65_535) {
    throw new InvalidArgumentError('give an address and a port, as in 0.0.0.0:443 or [::]:443.');
  }
  return { host, port: Number(match[3]) };
}

function readDuration(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined) throw new InvalidArgumentError('write it as 90s, 15m, 12h or 7d.');
  return seconds;
}

function collectRules(text: string, before: TargetRule[]): TargetRule[] {
  const rule = parseTargetRule(text);
  if (!rule) {
    throw new InvalidArgumentError(
      'write it as 203.0.113.0/24:51820, 198.51.100.7:1024-65535 or [2001:db8::/32]:51820.',
    );
  }
  return [...before, rule];
}

function collectLimits(text: string, before: [keyof RelayOptions, number][]): [keyof RelayOptions, number][] {
  const [name, value = ''] = text.split('=', 2);
  if (!Object.hasOwn(RELAY_OPTIONS, name)) {
    throw new InvalidArgumentError(`known limits are ${Object.keys(RELAY_OPTIONS).join(', ')}.`);
  }
  if (!/^[0-9]{1,15}$/.test(value)) throw new InvalidArgumentError('give a whole number.');
  return [...before, [name as keyof RelayOptions, Number(value)]];
}

const root = program();
for (const command of [root, ...root.commands]) command.exitOverride();
try {
  await root.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`cloudbridge-relay: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
