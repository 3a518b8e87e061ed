/** The two sections of a wg-quick file while they are being read. */

import { maskAddress, type Prefix } from '../packet/address.js';
import type { ZoneIndex } from '../packet/endpoint-text.js';
import type { Problem } from './problem.js';
import { InterfaceReachDraft, PeerReachDraft } from './reach.js';
import type { InterfaceConfig, PeerConfig, PeerEndpoint } from './tunnel-config.js';
import { type Placed, splitList, splitWords } from './wg-quick-lines.js';
import {
  type Mistake,
  readBoolean,
  readDns,
  readEndpoint,
  readFwMark,
  readKeepalive,
  readMtu,
  readPort,
  readPrefix,
  readPublicKey,
  readSecretKey,
  readTable,
  type Value,
} from './wg-quick-values.js';

/** Where a mistake in a value stands, and what it is. */
export type Report = (severity: Problem['severity'], at: Placed, mistake: Mistake) => void;

/** A prefix and where it was written. */
export interface PlacedPrefix extends Prefix {
  readonly at: Placed;
}

export interface Draft {
  readonly name: string;
  /** Line of the section's head. */
  readonly line: number;
  readonly keys: readonly string[];
  /** The settings seen, also those with mistakes, and their last lines. */
  readonly given: Map<string, number>;
  /** Whether several lines of this setting add up, rather than the last one counting. */
  mayRepeat(key: string): boolean;
  /** Takes the value of one of `keys`; mistakes go to `report`. */
  read(key: string, value: Placed, report: Report): void;
}

type Hook = 'preUp' | 'postUp' | 'preDown' | 'postDown';

export class InterfaceDraft implements Draft {
  static readonly KEYS: readonly string[] = Object.freeze([
    'PrivateKey',
    'ListenPort',
    'FwMark',
    'Address',
    'DNS',
    'MTU',
    'Table',
    'PreUp',
    'PostUp',
    'PreDown',
    'PostDown',
    'SaveConfig',
  ]);

  readonly name = 'Interface';
  readonly keys = InterfaceDraft.KEYS;
  readonly line: number;
  readonly given = new Map<string, number>();
  privateKey: Uint8Array | undefined;
  readonly addresses: PlacedPrefix[] = [];
  mtu: number | undefined;
  mtuAt: Placed | undefined;
  readonly reach = new InterfaceReachDraft();
  #listenPort: number | undefined;
  #fwMark = 0;
  #table: 'auto' | 'off' | number = 'auto';
  readonly #dnsServers: Uint8Array[] = [];
  readonly #dnsSearch: string[] = [];
  readonly #hooks: Record<Hook, string[]> = { preUp: [], postUp: [], preDown: [], postDown: [] };

  constructor(line: number) {
    this.line = line;
  }

  mayRepeat(key: string): boolean {
    return key === 'Address' || key === 'DNS' || hookOf(key) !== undefined;
  }

  read(key: string, value: Placed, report: Report): void {
    const hook = hookOf(key);
    if (hook !== undefined) {
      if (value.text !== '') this.#hooks[hook].push(value.text);
      return;
    }
    switch (key) {
      case 'PrivateKey':
        this.privateKey = take(readSecretKey(value.text, 'genkey'), value, report);
        if (this.privateKey !== undefined && isZero(this.privateKey)) {
          report('error', value, {
            message: 'the key is all zero, which stands for no key',
            remedy: 'make one with "cloudbridge-gateway genkey"',
          });
        }
        break;
      case 'ListenPort':
        this.#listenPort = take(readPort(value.text), value, report);
        break;
      case 'FwMark':
        this.#fwMark = take(readFwMark(value.text), value, report) ?? 0;
        break;
      case 'Address':
        for (const word of splitWords(value)) {
          const prefix = take(readPrefix(word.text), word, report);
          if (prefix !== undefined) this.addresses.push({ ...prefix, at: word });
        }
        break;
      case 'DNS':
        for (const word of splitWords(value)) {
          const dns = take(readDns(word.text), word, report);
          if (typeof dns === 'string') this.#dnsSearch.push(dns);
          else if (dns !== undefined) this.#dnsServers.push(dns);
        }
        break;
      case 'MTU':
        // wg-quick takes an empty MTU or Table for none at all.
        this.mtu = value.text === '' ? undefined : take(readMtu(value.text), value, report);
        this.mtuAt = value;
        break;
      case 'Table':
        this.#table = (value.text === '' ? undefined : take(readTable(value.text), value, report)) ?? 'auto';
        break;
      case 'SaveConfig':
        if (take(readBoolean(value.text), value, report) === true) {
          report('warning', value, {
            message: 'the running configuration is not written back into the file here',
            remedy: 'remove the line, and keep changes made with "wg set" by "wg showconf"',
          });
        }
        break;
    }
  }

  /** Only when no error was reported. */
  finish(): InterfaceConfig {
    return {
      privateKey: this.privateKey!,
      listenPort: this.#listenPort,
      addresses: this.addresses.map(plainPrefix),
      mtu: this.mtu,
      dnsServers: this.#dnsServers,
      dnsSearch: this.#dnsSearch,
      table: this.#table,
      fwMark: this.#fwMark,
      preUp: this.#hooks.preUp,
      postUp: this.#hooks.postUp,
      preDown: this.#hooks.preDown,
      postDown: this.#hooks.postDown,
      reach: this.reach.finish(),
    };
  }
}

export class PeerDraft implements Draft {
  static readonly KEYS: readonly string[] = Object.freeze([
    'PublicKey',
    'PresharedKey',
    'AllowedIPs',
    'Endpoint',
    'PersistentKeepalive',
  ]);

  readonly name = 'Peer';
  readonly keys = PeerDraft.KEYS;
  readonly line: number;
  readonly given = new Map<string, number>();
  publicKey: Uint8Array | undefined;
  publicKeyAt: Placed | undefined;
  readonly allowedIps: PlacedPrefix[] = [];
  readonly reach = new PeerReachDraft();
  readonly #zoneIndex: ZoneIndex | undefined;
  #presharedKey: Uint8Array | undefined;
  #endpoint: PeerEndpoint | undefined;
  #persistentKeepalive = 0;

  constructor(line: number, zoneIndex: ZoneIndex | undefined) {
    this.line = line;
    this.#zoneIndex = zoneIndex;
  }

  mayRepeat(key: string): boolean {
    return key === 'AllowedIPs';
  }

  read(key: string, value: Placed, report: Report): void {
    switch (key) {
      case 'PublicKey':
        this.publicKey = take(readPublicKey(value.text), value, report);
        this.publicKeyAt = value;
        break;
      case 'PresharedKey': {
        const presharedKey = take(readSecretKey(value.text, 'genpsk'), value, report);
        // The paper, section 5.2: "no preshared key" is the key of zeros.
        this.#presharedKey = presharedKey === undefined || isZero(presharedKey) ? undefined : presharedKey;
        break;
      }
      case 'AllowedIPs':
        for (const part of splitList(value)) {
          const prefix = take(readPrefix(part.text), part, report);
          if (prefix === undefined) continue;
          maskAddress(prefix.address, prefix.prefixLength);
          this.allowedIps.push({ ...prefix, at: part });
        }
        break;
      case 'Endpoint':
        this.#endpoint = take(readEndpoint(value.text, this.#zoneIndex), value, report);
        break;
      case 'PersistentKeepalive':
        this.#persistentKeepalive = take(readKeepalive(value.text), value, report) ?? 0;
        break;
    }
  }

  /** Only when no error was reported. */
  finish(): PeerConfig {
    const allowedIps: Prefix[] = [];
    const seen = new Set<string>();
    for (const prefix of this.allowedIps) {
      const name = `${prefix.address.join('.')}/${prefix.prefixLength}`;
      if (!seen.has(name)) allowedIps.push(plainPrefix(prefix));
      seen.add(name);
    }
    return {
      line: this.line,
      publicKey: this.publicKey!,
      presharedKey: this.#presharedKey,
      allowedIps,
      endpoint: this.#endpoint,
      persistentKeepalive: this.#persistentKeepalive,
      reach: this.reach.finish(),
    };
  }
}

function hookOf(key: string): Hook | undefined {
  switch (key) {
    case 'PreUp':
      return 'preUp';
    case 'PostUp':
      return 'postUp';
    case 'PreDown':
      return 'preDown';
    case 'PostDown':
      return 'postDown';
    default:
      return undefined;
  }
}

function take<T>(value: Value<T>, at: Placed, report: Report): T | undefined {
  if (value.ok) return value.value;
  report('error', at, { message: value.message, remedy: value.remedy });
  return undefined;
}

function plainPrefix(prefix: Prefix): Prefix {
  return { address: prefix.address, prefixLength: prefix.prefixLength };
}

function isZero(key: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < key.length; i++) sum |= key[i];
  return sum === 0;
}
