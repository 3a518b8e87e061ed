/** What a peer may ask of its device. Inside `wireguard/` only. */

import type { Primitives } from '../crypto/primitives.js';
import type { Log } from '../ports.js';
import type { DeviceCounters } from './counters.js';
import type { IndexTable } from './index-table.js';
import type { Keypair } from './keypair.js';
import type { Handshake, Noise } from './noise.js';
import type { Peer } from './peer.js';
import type { PeerTimers, TimerHost } from './timers.js';

export interface DeviceContext extends TimerHost {
  readonly primitives: Primitives;
  /** Our static key for initiations; undefined while there is none. */
  readonly noise: Noise | undefined;
  readonly indices: IndexTable<Handshake | Keypair>;
  readonly counters: DeviceCounters;
  readonly log: Log | undefined;
  readonly hasPrivateKey: boolean;
  /** ms since 1970. */
  wall(): number;
  /** Public key, shortened: for logs. */
  nameOf(peer: Peer): string;
  unschedule(timers: PeerTimers): void;
  /** Asks the host to look up the peer's endpoint name. */
  resolve(peer: Peer): void;
  /** Makes a pair with a fresh local index. */
  newKeypair(peer: Peer, remoteIndex: number, isInitiator: boolean): Keypair;
  keypairInstalled(keypair: Keypair): void;
  /** The peer has another endpoint, or another pair to send with. */
  endpointChanged(peer: Peer): void;
  currentChanged(peer: Peer): void;
  /** Forgets and erases a pair. */
  dropKeypair(keypair: Keypair): void;
  /** A slot of the outbox as exactly `length` bytes, addressed; undefined when there is no room. */
  claimMessage(length: number, endpoint: Uint8Array): Uint8Array | undefined;
  /** Gives back the slot claimed last. */
  abandonMessage(): void;
  /** Seals a packet (no bytes: a keepalive) into the outbox, to the peer's endpoint unless another is given. */
  sealToOutbox(peer: Peer, keypair: Keypair, packet: Uint8Array, endpoint?: Uint8Array): void;
  /** Tells the host to send the outbox, unless a call from the host is under way: then it looks afterwards anyway. */
  flushMessages(): void;
}
