/**
 * How peers are reached beyond plain UDP: settings of our own in a wg-quick file, each in a comment that begins with
 * `#@`, so that stock tools go on reading the file and pass them over.
 *
 * In `[Interface]`: `Relay`, `RelayToken`, `RelayCa`, `RelayPin`, `Proxy`, `ProxyCredentials`, `DecisionTable`, `Metered`,
 * `PathOptions`.
 * In `[Peer]`: `Transports`, `Scenario`, `RelayName`, `RelayFirst`.
 */

import type { Placed } from './wg-quick-lines.js';
import { splitList } from './wg-quick-lines.js';
import type { Mistake, Value } from './wg-quick-values.js';
import { readBoolean } from './wg-quick-values.js';

/** Transports that a file can ask for. */
export const REACH_TRANSPORTS = Object.freeze(['udp', 'masque', 'websocket'] as const);
export type ReachTransport = (typeof REACH_TRANSPORTS)[number];

/** Of the gateway. Paths are of files that are read when they are needed, so that their content can change. */
export interface InterfaceReach {
  /** `https://host[:port][/path]`, best first. */
  readonly relays: readonly string[];
  /** File with the token that relays ask for. */
  readonly tokenFile: string | undefined;
  /** File with the certificates that relays are verified with, PEM, in the place of the system's. */
  readonly caFile: string | undefined;
  /** SHA-256 pins of the relays' keys (`sha256/` and base64); one must fit where there are any. */
  readonly pins: readonly string[];
  readonly proxy: { readonly host: string; readonly port: number } | undefined;
  /** File with `user:password` for the proxy. */
  readonly credentialsFile: string | undefined;
  /** File with an operator's decision table. */
  readonly tableFile: string | undefined;
  /** The uplink is paid by the byte. */
  readonly metered: boolean;
  /** Options of the paths by name (`src/transport/path-options.ts`), in the order given. */
  readonly pathOptions: readonly (readonly [name: string, value: number])[];
}

/** Of a peer. */
export interface PeerReach {
  /** Best first; undefined: as the decision table has them. */
  readonly transports: readonly ReachTransport[] | undefined;
  /** Row of the decision table. */
  readonly scenario: string;
  /** The peer's name in the tenant, under which it is met at the relay; undefined: the relay forwards to its endpoint. */
  readonly relayName: string | undefined;
  /** Begin with relays and climb from there. */
  readonly relayFirst: boolean;
}

export const USUAL_SCENARIO = 'relay';

export const INTERFACE_REACH_KEYS: readonly string[] = Object.freeze([
  'Relay',
  'RelayToken',
  'RelayCa',
  'RelayPin',
  'Proxy',
  'ProxyCredentials',
  'DecisionTable',
  'Metered',
  'PathOptions',
]);

export const PEER_REACH_KEYS: readonly string[] = Object.freeze([
  'Transports',
  'Scenario',
  'RelayName',
  'RelayFirst',
]);

type Report = (severity: 'error' | 'warning', at: Placed, mistake: Mistake) => void;

/** `[Interface]`, while it is read. */
export class InterfaceReachDraft {
  readonly #relays: string[] = [];
  readonly #pins: string[] = [];
  #tokenFile: string | undefined;
  #caFile: string | undefined;
  #proxy: { host: string; port: number } | undefined;
  #credentialsFile: string | undefined;
  #tableFile: string | undefined;
  #metered = false;
  readonly #pathOptions: [string, number][] = [];

  mayRepeat(key: string): boolean {
    return key === 'Relay' || key === 'RelayPin' || key === 'PathOptions';
  }

  read(key: string, value: Placed, report: Report): void {
    switch (key) {
      case 'Relay': {
        const relay = take(readRelay(value.text), value, report);
        if (relay !== undefined) this.#relays.push(relay);
        break;
      }
      case 'RelayPin':
        for (const part of splitList(value)) {
          const pin = take(readPin(part.text), part, report);
          if (pin !== undefined) this.#pins.push(pin);
        }
        break;
      case 'RelayToken':
        this.#tokenFile = take(readPath(value.text), value, report);
        break;
      case 'RelayCa':
        this.#caFile = take(readPath(value.text), value, report);
        break;
      case 'Proxy':
        this.#proxy = take(readProxy(value.text), value, report);
        break;
      case 'ProxyCredentials':
        this.#credentialsFile = take(readPath(value.text), value, report);
        break;
      case 'DecisionTable':
        this.#tableFile = take(readPath(value.text), value, report);
        break;
      case 'PathOptions':
        for (const part of splitList(value)) {
          const option = take(readOption(part.text), part, report);
          if (option !== undefined) this.#pathOptions.push(option);
        }
        break;
      case 'Metered':
        this.#metered = take(readBoolean(value.text), value, report) ?? false;
        break;
    }
  }

  finish(): InterfaceReach | undefined {
    if (this.#relays.length === 0) return undefined;
    return {
      relays: this.#relays,
      tokenFile: this.#tokenFile,
      caFile: this.#caFile,
      pins: this.#pins,
      proxy: this.#proxy,
      credentialsFile: this.#credentialsFile,
      tableFile: this.#tableFile,
      metered: this.#metered,
      pathOptions: this.#pathOptions,
    };
  }
}

/** `[Peer]`, while it is read. */
export class PeerReachDraft {
  #given = false;
  #transports: ReachTransport[] | undefined;
  #scenario = USUAL_SCENARIO;
  #relayName: string | undefined;
  #relayFirst = false;

  read(key: string, value: Placed, report: Report): void {
    this.#given = true;
    switch (key) {
      case 'Transports':
        this.#transports = readTransports(value, report);
        break;
      case 'Scenario':
        this.#scenario = take(readWord(value.text), value, report) ?? USUAL_SCENARIO;
        break;
      case 'RelayName':
        this.#relayName = take(readWord(value.text), value, report);
        break;
      case 'RelayFirst':
        this.#relayFirst = take(readBoolean(value.text), value, report) ?? false;
        break;
    }
  }

  finish(): PeerReach | undefined {
    if (!this.#given) return undefined;
    return {
      transports: this.#transports,
      scenario: this.#scenario,
      relayName: this.#relayName,
      relayFirst: this.#relayFirst,
    };
  }
}

/** The lines of `[Interface]` that say this again. */
export function interfaceReachLines(reach: InterfaceReach): string[] {
  const lines = reach.relays.map((relay) => `#@ Relay = ${relay}`);
  if (reach.tokenFile !== undefined) lines.push(`#@ RelayToken = ${reach.tokenFile}`);
  if (reach.caFile !== undefined) lines.push(`#@ RelayCa = ${reach.caFile}`);
  if (reach.pins.length > 0) lines.push(`#@ RelayPin = ${reach.pins.join(', ')}`);
  if (reach.proxy !== undefined) {
    const { host, port } = reach.proxy;
    lines.push(`#@ Proxy = http://${host.includes(':') ? `[${host}]` : host}:${port}`);
  }
  if (reach.credentialsFile !== undefined) lines.push(`#@ ProxyCredentials = ${reach.credentialsFile}`);
  if (reach.tableFile !== undefined) lines.push(`#@ DecisionTable = ${reach.tableFile}`);
  if (reach.metered) lines.push('#@ Metered = true');
  if (reach.pathOptions.length > 0) {
    lines.push(`#@ PathOptions = ${reach.pathOptions.map((option) => option.join('=')).join(', ')}`);
  }
  return lines;
}

export function peerReachLines(reach: PeerReach): string[] {
  const lines: string[] = [];
  if (reach.transports !== undefined) lines.push(`#@ Transports = ${reach.transports.join(', ')}`);
  lines.push(`#@ Scenario = ${reach.scenario}`);
  if (reach.relayName !== undefined) lines.push(`#@ RelayName = ${reach.relayName}`);
  if (reach.relayFirst) lines.push('#@ RelayFirst = true');
  return lines;
}

function readTransports(value: Placed, report: Report): ReachTransport[] | undefined {
  const kinds: ReachTransport[] = [];
  for (const part of splitList(value)) {
    const kind = REACH_TRANSPORTS.find((known) => known === part.text.toLowerCase());
    const again = kind !== undefined && kinds.includes(kind);
    if (kind === undefined || again) {
      report('error', part, {
        message: again ? 'the transport is named twice' : 'the transport is not known',
        remedy: again ? 'remove one of the two' : `known are ${REACH_TRANSPORTS.join(', ')}`,
      });
      return undefined;
    }
    kinds.push(kind);
  }
  if (kinds.length > 0) return kinds;
  const remedy = `name some of ${REACH_TRANSPORTS.join(', ')}, or remove the line`;
  report('error', value, { message: 'the list is empty', remedy });
  return undefined;
}

function readRelay(text: string): Value<string> {
  if (/^https:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\/[A-Za-z0-9._~/-]*)?$/.test(text)) {
    return { ok: true, value: text };
  }
  return wrong(
    'this is no address of a relay',
    'write it as https://relay.example or https://relay.example:8443',
  );
}

function readProxy(text: string): Value<{ host: string; port: number }> {
  const match = /^http:\/\/(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})\/?$/.exec(text);
  const port = Number(match?.[3] ?? 0);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined && port > 0 && port < 65_536) return { ok: true, value: { host, port } };
  return wrong(
    'this is no address of an HTTP proxy',
    'write it as http://proxy.example:3128, and user and password into a file for ProxyCredentials',
  );
}

function readPin(text: string): Value<string> {
  if (/^sha256\/[A-Za-z0-9+/]{43}=$/.test(text)) return { ok: true, value: text };
  return wrong('this is no pin', 'write sha256/ and the 44 characters of the key’s digest');
}

function readOption(text: string): Value<[string, number]> {
  const match = /^([a-zA-Z]+) *= *([0-9]{1,12}(?:\.[0-9]{1,6})?)$/.exec(text);
  if (match) return { ok: true, value: [match[1], Number(match[2])] };
  return wrong('this is no option with its value', 'write it as dwell=20000, in ms, or gain=0.1');
}

function readPath(text: string): Value<string> {
  if (text.startsWith('/')) return { ok: true, value: text };
  return wrong(
    'this is no absolute path',
    'write the path of the file from the root, as in /etc/wireguard/relay.token',
  );
}

function readWord(text: string): Value<string> {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(text)) return { ok: true, value: text };
  return wrong('this is no name', 'write letters, digits, "-" and "_" only');
}

function take<T>(value: Value<T>, at: Placed, report: Report): T | undefined {
  if (value.ok) return value.value;
  report('error', at, { message: value.message, remedy: value.remedy });
  return undefined;
}

function wrong(message: string, remedy: string): { ok: false } & Mistake {
  return { ok: false, message, remedy };
}
