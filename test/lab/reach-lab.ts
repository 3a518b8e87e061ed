/**
 * Two sites, a relay and an HTTP proxy on one public net, in namespaces. Site A's firewall decides what A can reach;
 * B is reachable, or as shut in as A.
 */

import { type ChildProcess, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askGateway } from '../../host/gateway/uapi-client.js';
import { uapiDirectory } from '../../host/gateway/uapi-path.js';
import { type GatewayStatus, type PeerView, STATUS_OPERATION } from '../../src/gateway/status.js';
import { Issuer, makeCertificate } from '../relay/relay-world.js';
import { base64, keyPair } from '../wireguard/reference/identity.js';
import { PROGRAM } from './gateway-end.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { until } from './wait.js';

export const RELAY_PROGRAM = fileURLToPath(new URL('../../dist/cloudbridge-relay.js', import.meta.url));
const PROXY_PROGRAM = fileURLToPath(new URL('./http-proxy.mjs', import.meta.url));

export const A = { public: '203.0.113.11', inner: '10.97.0.1', port: 51821 };
export const B = { public: '203.0.113.12', inner: '10.97.0.2', port: 51822 };
export const RELAY = '203.0.113.100';
export const PROXY = { address: '203.0.113.101', port: 3128 };

/** What a site's network lets out. */
export type Firewall = 'open' | 'no-udp' | 'https-only' | 'proxy-only';

const RULES: Record<Firewall, string> = {
  open: '',
  'no-udp': 'meta l4proto udp drop',
  'https-only': `tcp dport 443 accept\ntcp sport 443 accept\nmeta l4proto { tcp, udp } drop`,
  'proxy-only': `ip daddr != ${PROXY.address} drop`,
};

interface SideOptions {
  /** Lines of ours for [Interface] and for [Peer]. */
  readonly own?: readonly string[];
  readonly peer?: readonly string[];
  readonly knowsEndpoint?: boolean;
}

export interface ReachOptions {
  readonly a?: SideOptions;
  readonly b?: SideOptions;
  /** Before anything starts. */
  readonly firewallA?: Firewall;
  readonly firewallB?: Firewall;
}

export class Side {
  readonly lab: ReachLab;
  readonly space: Namespace;
  readonly name: string;
  readonly file: string;
  readonly logFile: string;
  process: ChildProcess | undefined;

  constructor(lab: ReachLab, space: Namespace, label: string) {
    this.lab = lab;
    this.space = space;
    this.name = lab.lab.interfaceName();
    this.file = join(lab.lab.directory, `${label}.conf`);
    this.logFile = join(lab.lab.directory, `${label}.log`);
  }

  /** `mode` `drop`: as a firewall that says nothing. Both ways, so that nothing that is established goes on. */
  firewall(kind: Firewall): void {
    const rules = RULES[kind];
    const inward = kind === 'proxy-only' ? `ip saddr != ${PROXY.address} drop` : rules;
    this.space.nft(`table inet site {
      chain out { type filter hook output priority 0; policy accept;
        oifname != "eth0" accept
        ${rules}
      }
      chain in { type filter hook input priority 0; policy accept;
        iifname != "eth0" accept
        ${inward}
      }
    }`);
  }

  async start(): Promise<void> {
    const tier = process.env.GATEWAY_TIER;
    this.process = this.space.spawn(
      [
        process.execPath,
        PROGRAM,
        'up',
        this.file,
        '--name',
        this.name,
        '--log-level',
        'debug',
        ...(tier ? ['--tier', tier] : []),
      ],
      {
        environment: { STATE_DIRECTORY: this.lab.lab.subdirectory(`state-${this.name}`), NO_COLOR: '1' },
        logFile: this.logFile,
      },
    );
    await until(`${this.name} is up`, 15_000, async () => (await this.peer()) !== undefined);
  }

  /** What `status --json` says about its one peer. */
  async peer(): Promise<PeerView | undefined> {
    return (await this.status())?.peers[0];
  }

  async status(): Promise<GatewayStatus | undefined> {
    const answer = await askGateway(uapiDirectory(), this.name, STATUS_OPERATION).catch(() => undefined);
    return answer === undefined ? undefined : JSON.parse(answer);
  }

  /** Waits until this transport carries the datagrams. */
  async uses(transport: string, limit = 15_000): Promise<PeerView> {
    return until(
      `${this.name} uses ${transport}`,
      limit,
      async () => {
        const peer = await this.peer();
        return peer?.transport === transport && peer.state === 'established' ? peer : undefined;
      },
      50,
    );
  }
}

export class ReachLab {
  readonly lab = new Lab();
  readonly a: Side;
  readonly b: Side;
  readonly relaySpace: Namespace;
  readonly #net: Namespace;
  #relay: ChildProcess | undefined;
  #proxy: ChildProcess | undefined;

  private constructor() {
    const { lab } = this;
    this.#net = lab.namespace('net');
    this.#net.ip('link add br0 type bridge');
    this.#net.ip('link set br0 up');
    try {
      this.#net.sysctl({ 'net.bridge.bridge-nf-call-iptables': '0' });
    } catch {
      // Not loaded: frames are not filtered either.
    }
    this.relaySpace = this.#attach('relay', [RELAY, PROXY.address]);
    this.a = new Side(this, this.#attach('a', [A.public]), 'a');
    this.b = new Side(this, this.#attach('b', [B.public]), 'b');
  }

  static async start(options: ReachOptions = {}): Promise<ReachLab> {
    const reach = new ReachLab();
    try {
      await reach.#configure(options);
      reach.a.firewall(options.firewallA ?? 'open');
      reach.b.firewall(options.firewallB ?? 'open');
      await reach.startRelay();
      reach.#proxy = reach.relaySpace.spawn(
        [process.execPath, PROXY_PROGRAM, PROXY.address, `${PROXY.port}`, 'user:secret'],
        { logFile: join(reach.lab.directory, 'proxy.log') },
      );
      await Promise.all([reach.a.start(), reach.b.start()]);
      return reach;
    } catch (error) {
      reach.close();
      throw error;
    }
  }

  async startRelay(): Promise<void> {
    const file = (name: string) => join(this.lab.directory, name);
    const files = ['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem'), '--jwks', file('jwks.json')];
    this.#relay = this.relaySpace.spawn(
      [
        ...[process.execPath, RELAY_PROGRAM, 'serve', '--listen', `${RELAY}:443`, ...files],
        ...['--issuer', 'https://control.test', '--allow', '203.0.113.0/24:51821-51822'],
      ],
      { logFile: file('relay.log') },
    );
    await until('the relay listens', 15_000, async () => {
      const listening = await this.relaySpace.get(['ss', '-Hltn', 'sport = :443']);
      return listening.includes(':443');
    });
  }

  /** Adds a setting of ours, naming one of the lab's files, to a side's [Interface]. */
  addLine(side: Side, key: string, file: string): void {
    const text = readFileSync(side.file, 'utf8');
    const line = `#@ ${key} = ${join(this.lab.directory, file)}`;
    writeFileSync(side.file, text.replace('\n\n[Peer]', `\n${line}\n\n[Peer]`), { mode: 0o600 });
  }

  /** As a crash would: nobody is told. */
  killRelay(): void {
    this.#relay?.kill('SIGKILL');
  }

  close(): void {
    for (const one of [this.#relay, this.#proxy, this.a.process, this.b.process]) one?.kill('SIGKILL');
    this.lab.close();
  }

  async #configure({ a = {}, b = {} }: ReachOptions): Promise<void> {
    const { directory } = this.lab;
    const certificate = makeCertificate(`IP:${RELAY}`);
    const issuer = await Issuer.make();
    writeFileSync(join(directory, 'cert.pem'), certificate.cert);
    writeFileSync(join(directory, 'key.pem'), certificate.key, { mode: 0o600 });
    writeFileSync(join(directory, 'jwks.json'), JSON.stringify(issuer.jwks));
    writeFileSync(join(directory, 'proxy.user'), 'user:secret\n', { mode: 0o600 });
    const keysA = keyPair();
    const keysB = keyPair();
    const write = async (
      side: Side,
      name: string,
      here: typeof A,
      there: typeof A,
      own: Uint8Array,
      other: Uint8Array,
      { own: lines = [], peer = [], knowsEndpoint = true }: SideOptions,
    ): Promise<void> => {
      const token = join(directory, `${name}.token`);
      writeFileSync(token, await issuer.sign(name, 'acme'), { mode: 0o600 });
      const relay = [
        `#@ Relay = https://${RELAY}`,
        `#@ RelayToken = ${token}`,
        `#@ RelayCa = ${join(directory, 'cert.pem')}`,
      ];
      const text = [
        '[Interface]',
        `PrivateKey = ${base64(own)}`,
        `ListenPort = ${here.port}`,
        `Address = ${here.inner}/24`,
        'MTU = 1280',
        ...(lines.length > 0 || peer.length > 0 ? relay : []),
        ...lines.map((line) => `#@ ${line}`),
        '',
        '[Peer]',
        `PublicKey = ${base64(other)}`,
        `AllowedIPs = ${there.inner}/32`,
        ...(knowsEndpoint ? [`Endpoint = ${there.public}:${there.port}`] : []),
        ...peer.map((line) => `#@ ${line}`),
        '',
      ].join('\n');
      writeFileSync(side.file, text, { mode: 0o600 });
    };
    await write(this.a, 'a', A, B, keysA.privateKey, keysB.publicKey, a);
    await write(this.b, 'b', B, A, keysB.privateKey, keysA.publicKey, b);
  }

  #attach(label: string, addresses: readonly string[]): Namespace {
    const space = this.lab.namespace(label);
    const outer = this.lab.interfaceName();
    execFileSync('ip', [
      ...`link add ${outer} netns ${this.#net.name} type veth peer name eth0 netns ${space.name}`.split(' '),
    ]);
    this.#net.ip(`link set ${outer} master br0 up`);
    for (const address of addresses) space.ip(`address add ${address}/24 dev eth0`);
    space.ip('link set eth0 up');
    return space;
  }
}

export interface FlowResult {
  readonly sent: number;
  readonly received: number;
  readonly duplicates: number;
  /** Longest time between two answers, ms. */
  readonly longestGap: number;
}

/** `ping` every 10 ms for so long, with what became of it. */
export class Flow {
  readonly #done: Promise<string>;

  constructor(space: Namespace, address: string, seconds: number) {
    const count = `${Math.round(seconds * 100)}`;
    this.#done = space
      .run(['ping', '-n', '-D', '-i', '0.01', '-c', count, '-W', '1', address], {
        limit: seconds * 1000 + 30_000,
      })
      .then(({ stdout }) => stdout);
  }

  async result(): Promise<FlowResult> {
    const text = await this.#done;
    let longestGap = 0;
    let last: number | undefined;
    let duplicates = 0;
    for (const line of text.split('\n')) {
      const match = /^\[([0-9.]+)\] .*icmp_seq=/.exec(line);
      if (!match) continue;
      if (line.includes('DUP!')) duplicates++;
      const at = Number(match[1]) * 1000;
      if (last !== undefined) longestGap = Math.max(longestGap, at - last);
      last = at;
    }
    const totals = /([0-9]+) packets transmitted, ([0-9]+) received/.exec(text);
    return {
      sent: Number(totals?.[1] ?? 0),
      received: Number(totals?.[2] ?? 0),
      duplicates,
      longestGap: Math.round(longestGap),
    };
  }
}
