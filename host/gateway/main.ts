#!/usr/bin/env node
import { isIP } from 'node:net';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { check } from './commands/check.js';
import { DEFAULT_NAME, doctor, enrol, leave, runEnrolled } from './commands/enrolled.js';
import { explain as explainPeer } from './commands/explain.js';
import { genkey, genpsk, pubkey } from './commands/keys.js';
import { runInner } from './commands/run.js';
import { status } from './commands/status.js';
import { type UpOptions, up } from './commands/up.js';
import { userspace, userspaceCall } from './commands/userspace.js';
import { EXIT, EXIT_MEANINGS, type ExitCode, GatewayError, messageOf } from './errors.js';
import { LOG_THRESHOLDS, type LogThreshold, thresholdFrom } from './log.js';
import { TUNNEL_MODES } from './platform/mode.js';
import { TIERS } from './request.js';
import { packageVersion } from './version.js';

const EXAMPLES = `
Examples:
  cloudbridge-gateway genkey | tee private.key | cloudbridge-gateway pubkey
  cloudbridge-gateway check wg0.conf
  sudo cloudbridge-gateway up /etc/wireguard/wg0.conf
  cloudbridge-gateway up site.conf --forward 127.0.0.1:8080=10.0.0.2:80
  cloudbridge-gateway status --json
  sudo WG_QUICK_USERSPACE_IMPLEMENTATION=cloudbridge-gateway wg-quick up wg0

Exit codes:
${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(2)}  ${meaning}`).join('\n')}`;

const UP_EXAMPLES = `
Signals: SIGINT and SIGTERM end the gateway and take back what it set up; SIGHUP reads the file again and changes
what is different, without disturbing the sessions of unchanged peers.

Examples:
  sudo cloudbridge-gateway up wg0.conf
  cloudbridge-gateway up site.conf --name site --mode rootless --expose 80=127.0.0.1:8080
  cloudbridge-gateway up site.conf --forward udp:127.0.0.1:5353=10.0.0.1:53 --log-format json --log-level debug
  cloudbridge-gateway up site.conf --dry-run`;

function program(finish: (code: number) => void): Command {
  const root = new Command('cloudbridge-gateway')
    .description(
      'A WireGuard gateway in TypeScript. Called with an interface name alone, it serves wg-quick.',
    )
    .version(packageVersion(), '-V, --version')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(see "cloudbridge-gateway --help")');

  carrying(root.command('up'))
    .description('run a wg-quick configuration in the foreground')
    .argument('<file.conf>', 'the configuration')
    .option('-n, --name <interface>', "the interface's name (otherwise the file's)")
    .option('--fail-after <seconds>', 'end with code 8 when no peer has answered by then', readSeconds)
    .option('--dry-run', 'say what would be done, and change nothing')
    .addHelpText('after', UP_EXAMPLES)
    .action(async (file: string, options: UpOptions) => finish(await up(file, options)));

  root
    .command('enrol')
    .description('redeem a claim: this device becomes a gateway of a tenant')
    .argument('[claim]', 'URL or token, "-" to read it; without it, the one that was interrupted')
    .option('-n, --name <interface>', "the interface's name", DEFAULT_NAME)
    .option('--control <url>', 'the control plane, when the claim is a bare token')
    .option('--pin <sha256/...>', "the server key's pin, and a spare one's; repeatable", collect, [])
    .option('--state-dir <directory>', 'where state is kept over restarts')
    .action(async (claim: string | undefined, options) => finish(await enrol(claim, options)));

  carrying(root.command('run'))
    .description('run an enrolled gateway in the foreground: the control plane configures it')
    .option('-n, --name <interface>', "the interface's name", DEFAULT_NAME)
    .option('--claim <file>', 'enrol first, where that is still to be done; "-" is standard input')
    .option('--control <url>', 'the control plane, when the claim is a bare token')
    .option('--pin <sha256/...>', "the server key's pin, and a spare one's; repeatable", collect, [])
    .option('--listen-port <port>', 'UDP port (the one of last time, or any)', readPort)
    .option('--endpoint <host:port>', 'where peers reach it (where the control plane sees it)')
    .option(
      '--relay <url>',
      'where gateways meet that UDP does not reach, best first; repeatable',
      collect,
      [],
    )
    .option('--relay-ca <file>', 'certificates that relays are verified with')
    .option('--relay-pin <sha256/...>', "a relay key's pin; repeatable", collect, [])
    .option('--proxy <url>', 'HTTP proxy on the way to relays')
    .option('--proxy-credentials <file>', 'user:password for it')
    .action(async (options) => finish(await runEnrolled(options)));

  root
    .command('doctor')
    .description('look for what is wrong: name, time, control plane, UDP, MTU, each with a remedy')
    .option('-n, --name <interface>', "the interface's name", DEFAULT_NAME)
    .option('--state-dir <directory>', 'where state is kept over restarts')
    .option('--json', 'for programs')
    .action(async (options) => finish(await doctor(options)));

  root
    .command('leave')
    .description('give the identity back')
    .option('-n, --name <interface>', "the interface's name", DEFAULT_NAME)
    .option('--state-dir <directory>', 'where state is kept over restarts')
    .action(async (options) => finish(await leave(options)));

  root
    .command('status')
    .description('show running gateways: mode, tier, and every peer with the reason for its state')
    .argument('[interface]', 'one gateway (otherwise all of this user)')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      '\nExamples:\n  cloudbridge-gateway status\n  cloudbridge-gateway status wg0 --json',
    )
    .action(async (name: string | undefined, options) => finish(await status(name, options)));

  root
    .command('explain')
    .description(
      "tell why a peer's datagrams travel as they do: transports, scores, every decision with its reason",
    )
    .argument('<peer>', 'its public key, or the beginning of it')
    .option('-i, --interface <name>', 'the gateway (otherwise whichever has such a peer)')
    .option('--json', 'for programs')
    .action(async (key: string, options) => finish(await explainPeer(key, options)));

  root
    .command('check')
    .description('list every mistake of a configuration: file, line, reason, remedy')
    .argument('<file.conf>', 'the configuration')
    .option('--json', 'for programs')
    .addHelpText('after', '\nExample:\n  cloudbridge-gateway check /etc/wireguard/wg0.conf')
    .action((file: string, options) => finish(check(file, options)));

  root.command('genkey').description('print a new private key').action(genkey);
  root.command('genpsk').description('print a new preshared key').action(genpsk);
  root.command('pubkey').description('read a private key, print its public key').action(pubkey);
  root.command('inner', { hidden: true }).action(async () => finish(await runInner()));
  return root;
}

/** The options of everything that carries packets. */
function carrying(command: Command): Command {
  return command
    .addOption(
      new Option('--mode <mode>', 'how packets reach this host')
        .choices(['auto', ...TUNNEL_MODES])
        .default('auto'),
    )
    .option(
      '--forward <rule>',
      '[tcp|udp:]ADDRESS:PORT here = ADDRESS:PORT in the tunnel; repeatable',
      collect,
      [],
    )
    .option('--expose <rule>', '[tcp|udp:]PORT in the tunnel = ADDRESS:PORT here; repeatable', collect, [])
    .option(
      '--listen-address <address>',
      'the only address at which peers reach this host (every one)',
      readAddress,
    )
    .option(
      '--limit <name=count>',
      'another bound than the usual one; repeatable; a wrong name lists them',
      collect,
      [],
    )
    .option('--state-dir <directory>', 'where state is kept over restarts')
    .addOption(new Option('--tier <tier>', 'how packets are carried').choices(TIERS).default('auto'))
    .addOption(
      new Option('--log-format <format>', 'json, or human (for a terminal)').choices(['json', 'human']),
    )
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .env('LOG_LEVEL')
        .argParser(readLevel)
        .default('info' satisfies LogThreshold),
    );
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function readLevel(text: string): LogThreshold {
  const level = thresholdFrom(text);
  if (level === undefined) throw new InvalidArgumentError(`choose one of ${LOG_THRESHOLDS.join(', ')}.`);
  return level;
}

function readAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('give an IPv4 or IPv6 address.');
  return text;
}

function readPort(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('give a port number.');
  return Number(text);
}

function readSeconds(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text) || text === '0') throw new InvalidArgumentError('give a number of seconds.');
  return Number(text);
}

async function main(args: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  const root = program((result) => {
    code = result;
  });
  const call = userspaceCall(args, root.commands.map((command) => command.name()).concat('help'));
  if (call !== undefined) return userspace(call);
  for (const command of [root, ...root.commands]) command.exitOverride();
  await root.parseAsync(args, { from: 'user' });
  return code;
}

/** One sentence on standard error, and the code to end with. */
function explain(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof GatewayError) {
    process.stderr.write(`cloudbridge-gateway: ${error.message}\n`);
    return error.exitCode;
  }
  const detail =
    error instanceof Error && process.env.LOG_LEVEL === 'debug' ? (error.stack ?? '') : messageOf(error);
  process.stderr.write(`cloudbridge-gateway: unexpected: ${detail}\n`);
  return EXIT.failure;
}

// A reader that has seen enough (`status | head`) is no failure.
process.stdout.on('error', () => process.exit(EXIT.ok));

const code = await main(process.argv.slice(2)).catch(explain);
// What was written must be out before the end; nothing else is waited for.
process.exitCode = code;
process.stdout.write('', () => process.exit(code));
