import { bytesToHex } from '../../../src/crypto/key-text.js';
import type { Device } from '../../../src/wireguard/device.js';
import { UapiSession } from '../../../src/wireguard/uapi.js';
import type { UapiHost } from '../../../src/wireguard/uapi-host.js';
import { endpointOf, privateKeyOf, World } from '../../wireguard/virtual/world.js';
import type { Random } from '../random.js';
import { ascii, demand, type Target } from '../target.js';

/** A small device: what a client may make it hold is bounded by its limits. */
const PEERS = 8;
/** After so many messages the device starts afresh, so that allowed_ip lines do not pile up for ever. */
const RENEWAL = 256;

const KEY = bytesToHex(privateKeyOf('uapi'));
const PEER = bytesToHex(new Uint8Array(32).fill(0x21));
const OTHER = bytesToHex(new Uint8Array(32).fill(0x22));

/** The userspace API, in pieces as a socket gives them: well-formed answers, bounded state, nothing thrown. */
export class UapiText implements Target {
  readonly name = 'uapi-text';
  readonly weight = 5;
  readonly samples = [
    'get=1\n\n',
    `set=1\nlisten_port=51820\nfwmark=0\n\nget=1\n\n`,
    `set=1\nprivate_key=${KEY}\nreplace_peers=true\n\n`,
    `set=1\npublic_key=${PEER}\nendpoint=192.0.2.1:51820\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\n\nget=1\n\n`,
    `set=1\npublic_key=${OTHER}\npreshared_key=${PEER}\npersistent_keepalive_interval=25\nprotocol_version=1\n\n`,
    `set=1\npublic_key=${PEER}\nupdate_only=true\nreplace_allowed_ips=true\nallowed_ip=10.1.0.0/16\n\n`,
    `set=1\npublic_key=${OTHER}\nremove=true\npublic_key=${PEER}\nallowed_ip=-10.0.0.0/8\n\nget=1\n\n`,
    'status=1\n\n',
  ].map(ascii);
  readonly words = [
    '\n',
    '\n\n',
    '=',
    'get=1\n',
    'set=1\n',
    'status=1\n',
    'true',
    '0',
    '65536',
    '4294967295',
    PEER,
    OTHER,
    `public_key=${PEER}\n`,
    'remove=true\n',
    'endpoint=[fe80::1%7]:1\n',
    'allowed_ip=',
    'persistent_keepalive_interval=1\n',
  ].map(ascii);
  readonly #world = new World(13);
  readonly #device: Device;
  #sinceRenewal = 0;
  #answers = 0;
  #errors = 0;
  #ended = 0;
  #peersMade = 0;
  #told = 0;

  constructor() {
    const node = this.#world.add({
      name: 'uapi',
      address: endpointOf(192, 0, 2, 1, 51820),
      limits: { maxPeers: PEERS },
    });
    this.#device = node.device;
  }

  run(message: Uint8Array, random: Random): void {
    if (++this.#sinceRenewal === RENEWAL) this.#renew();
    const device = this.#device;
    const host = new Host(random);
    let output = '';
    let ended = false;
    const session = new UapiSession(device, host, {
      write: (text) => {
        demand(!ended, 'an answer after the end');
        output += text;
      },
      end: () => {
        ended = true;
      },
    });
    for (let at = 0; at < message.length; ) {
      const size = random.once(4) ? 1 + random.below(12) : message.length;
      const ready = session.push(message.slice(at, at + size));
      demand(ready || host.waiting !== undefined, 'a session that waits for nobody');
      // The host's answer may come at once, later, or with more bytes in between.
      if (host.waiting !== undefined && !random.once(4)) host.release();
      at += size;
    }
    while (host.waiting !== undefined) host.release();
    session.close();
    this.#check(output);
    if (ended) this.#ended++;
    demand(device.peerCount <= PEERS, 'more peers than the limit');
    if (device.peerCount > 0) this.#peersMade++;
    device.outbox.clear();
  }

  finish(): Readonly<Record<string, number>> {
    return {
      answers: this.#answers,
      errors: this.#errors,
      ended: this.#ended,
      peersMade: this.#peersMade,
      told: this.#told,
    };
  }

  #renew(): void {
    this.#sinceRenewal = 0;
    this.#device.removeAllPeers();
    this.#device.setPrivateKey(privateKeyOf('uapi'));
  }

  /** Answers are lines of key=value, each ended by an errno and an empty line. */
  #check(output: string): void {
    if (output === '') return;
    demand(output.endsWith('\n\n'), 'an answer without its end');
    for (const answer of output.slice(0, -2).split('\n\n')) {
      const lines = answer.split('\n');
      const last = lines[lines.length - 1];
      demand(/^errno=(0|-[1-9][0-9]*)$/.test(last), 'an answer without its errno');
      this.#answers++;
      if (last !== 'errno=0') this.#errors++;
      if (lines.length > 1) this.#told++;
      for (const line of lines) demand(/^[a-z_]+=[^\s=]+$/.test(line), `a line that is none: ${line}`);
    }
  }
}

/** Answers when it is asked to, as a host with real sockets would. */
class Host implements UapiHost {
  listenPort = 51820;
  fwmark = 0;
  waiting: (() => void) | undefined;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  setListenPort(port: number, done: (errno: number) => void): void {
    this.#later(() => {
      if (port === 9) {
        done(-98);
        return;
      }
      this.listenPort = port;
      done(0);
    });
  }

  setFwmark(mark: number, done: (errno: number) => void): void {
    this.#later(() => {
      this.fwmark = mark;
      done(0);
    });
  }

  knows(operation: string): boolean {
    return operation === 'status=1';
  }

  answer(_operation: string, reply: (text: string, errno: number) => void): void {
    this.#later(() => reply('status={}\n', 0));
  }

  release(): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.();
  }

  #later(act: () => void): void {
    if (this.#random.once(2)) act();
    else this.waiting = act;
  }
}
