import { base64, keyPair } from '../wireguard/reference/identity.js';
import type { Bytes } from '../wireguard/reference/symmetric.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { OURS, THEIRS } from './pair.js';
import { Prober } from './prober.js';
import { subject } from './subject.js';
import type { TunnelEnd } from './tunnel-end.js';
import { type Target, UdpPort } from './udp-port.js';

export interface NewProber {
  /** The subject is told where the prober is, so that it can start handshakes. */
  readonly reachable?: boolean;
  readonly presharedKey?: Bytes;
  readonly persistentKeepalive?: number;
  /** Family of the addresses outside. */
  readonly outer?: 4 | 6;
  /** Prefixes besides the prober's own two addresses. */
  readonly allowedIps?: readonly string[];
  /** The subject routes nothing to it. */
  readonly unrouted?: boolean;
}

/** The subject on one side of a cable and any number of probers, each a peer of its own, on the other. */
export class ProbeLab {
  readonly lab = new Lab();
  readonly space: Namespace;
  readonly probes: Namespace;
  readonly subject: TunnelEnd;
  readonly ourLink: string;
  readonly theirLink: string;
  #probers = 0;

  constructor() {
    this.space = this.lab.namespace('ours');
    this.probes = this.lab.namespace('probes');
    // Two addresses on either side: for replies from the address that was asked and for changes of address.
    [this.ourLink, this.theirLink] = this.lab.link(
      { space: this.space, addresses: [`${OURS.v4}/16`, '10.51.1.1/16', `${OURS.v6}/64`, 'fd51::1:1/64'] },
      {
        space: this.probes,
        addresses: [`${THEIRS.v4}/16`, '10.51.1.2/16', `${THEIRS.v6}/64`, 'fd51::1:2/64'],
      },
    );
    this.subject = subject(this.lab, this.space, {
      keys: keyPair(),
      listenPort: OURS.port,
      addresses: [`${OURS.inner4}/16`, `${OURS.inner6}/64`],
      peers: [],
    });
  }

  static async start(): Promise<ProbeLab> {
    const lab = new ProbeLab();
    try {
      await lab.subject.start();
    } catch (error) {
      lab.close();
      throw error;
    }
    return lab;
  }

  target(family: 4 | 6 = 4): Target {
    return { address: family === 4 ? OURS.v4 : OURS.v6, port: OURS.port };
  }

  port(address: string = THEIRS.v4, port = 0): Promise<UdpPort> {
    return UdpPort.open(this.probes, { address, port });
  }

  /** A prober that the subject knows as a peer, with inner addresses of its own. */
  async prober(options: NewProber = {}): Promise<Prober> {
    const n = ++this.#probers;
    const family = options.outer ?? 4;
    const address = family === 4 ? THEIRS.v4 : THEIRS.v6;
    const prober = new Prober({
      port: await this.port(address),
      target: this.target(family),
      remotePublicKey: this.subject.publicKey,
      presharedKey: options.presharedKey,
      inner4: `10.99.1.${n}`,
      inner6: `fd99::1:${n.toString(16)}`,
      remoteInner4: OURS.inner4,
      remoteInner6: OURS.inner6,
    });
    const words = ['peer', base64(prober.keys.publicKey)];
    if (options.presharedKey)
      words.push('preshared-key', this.subject.secretFile('psk', base64(options.presharedKey)));
    if (options.reachable)
      words.push('endpoint', `${family === 4 ? address : `[${address}]`}:${prober.port.port}`);
    if (options.persistentKeepalive) words.push('persistent-keepalive', `${options.persistentKeepalive}`);
    const prefixes = [`${prober.inner4}/32`, `${prober.inner6}/128`, ...(options.allowedIps ?? [])];
    await this.subject.set(...words, 'allowed-ips', options.unrouted ? '' : prefixes.join(','));
    return prober;
  }

  /** A UDP socket behind the subject, on its inner address: what it gets came out of the tunnel. */
  inside(family: 4 | 6 = 4, port = 0): Promise<UdpPort> {
    return UdpPort.open(this.space, { address: family === 4 ? OURS.inner4 : OURS.inner6, port });
  }

  close(): void {
    this.lab.close();
  }
}
