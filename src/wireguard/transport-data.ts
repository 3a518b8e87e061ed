/**
 * Transport data messages (paper, section 5.4.6), sealed and opened where they lie in a batch. This is the readable
 * twin of every faster data path, which must give the same bytes.
 */

import { type Batch, TAILROOM } from '../packet/batch.js';
import { copyEndpoint, ENDPOINT_BYTES } from '../packet/endpoint.js';
import { ipLength } from '../packet/ip.js';
import { PADDING_MULTIPLE } from './constants.js';
import type { DeviceContext } from './context.js';
import { Keypair } from './keypair.js';
import {
  DATA_COUNTER,
  DATA_HEADER_BYTES,
  DATA_MIN_BYTES,
  DATA_OVERHEAD_BYTES,
  DATA_RECEIVER,
  readU32,
  TYPE_DATA,
  writeU32,
} from './messages.js';
import type { Peer } from './peer.js';
import type { PeerTable } from './peer-table.js';
import { probeId, probeKind } from './probe.js';

const NO_AD = new Uint8Array(0);

/**
 * Length of a packet with its padding: a multiple of 16, but never beyond the MTU, so that a full packet does not
 * grow. Of a packet longer than the MTU only what exceeds a multiple of it is padded.
 */
export function paddedLength(length: number, mtu: number): number {
  const last = mtu > 0 && length > mtu ? length % mtu : length;
  const padded = (last + PADDING_MULTIPLE - 1) & -PADDING_MULTIPLE;
  return length - last + (mtu > 0 && padded > mtu ? mtu : padded);
}

export class TransportData {
  readonly #context: DeviceContext;
  readonly #peers: PeerTable;

  constructor(context: DeviceContext, peers: PeerTable) {
    this.#context = context;
    this.#peers = peers;
  }

  /** Seals the packet of entry `i` to whom it belongs; what cannot be sent now is staged or dropped (length 0). */
  seal(batch: Batch, i: number): void {
    const { counters } = this.#context;
    const offset = batch.offset[i];
    const length = batch.length[i];
    batch.length[i] = 0;
    const peer = this.#peers.routeDestination(batch.bytes, offset, length);
    if (!peer) {
      counters.noRoute++;
      return;
    }
    const keypair = peer.keypairForSending();
    if (!peer.hasEndpoint) counters.noEndpoint++;
    if (!keypair) peer.stage(batch.bytes, offset, length);
    else if (peer.hasEndpoint) this.sealFor(batch, i, offset, length, peer, keypair);
  }

  /** Seals `length` bytes at `offset`, with 16 bytes free before them and 31 behind; none make a keepalive. */
  sealFor(batch: Batch, i: number, offset: number, length: number, peer: Peer, keypair: Keypair): void {
    const padded = paddedLength(length, this.#context.mtu);
    const room = (i + 1) * batch.slotSize - offset;
    if (padded + TAILROOM - PADDING_MULTIPLE > room || offset - i * batch.slotSize < DATA_HEADER_BYTES) {
      this.#context.counters.tooLarge++;
      return;
    }
    if (!keypair.takeCounters(1)) return;
    const { bytes } = batch;
    const { sendKey, takenLow, takenHigh } = keypair;
    // A probe is no packet: nothing inside the tunnel will answer it.
    const packets = length > 0 && probeKind(bytes, offset, length) === 0 ? 1 : 0;
    bytes.fill(0, offset + length, offset + padded);
    const start = offset - DATA_HEADER_BYTES;
    writeU32(bytes, start, TYPE_DATA);
    writeU32(bytes, start + DATA_RECEIVER, keypair.remoteIndex);
    writeU32(bytes, start + DATA_COUNTER, takenLow);
    writeU32(bytes, start + DATA_COUNTER + 4, takenHigh);
    this.#context.primitives.aeadSeal(sendKey, takenLow, takenHigh, bytes, offset, padded, NO_AD);
    batch.offset[i] = start;
    batch.length[i] = padded + DATA_OVERHEAD_BYTES;
    copyEndpoint(batch.endpoints, i * ENDPOINT_BYTES, peer.endpoint, 0);
    peer.noteSent(keypair, 1, batch.length[i], packets);
  }

  /** Opens the data message of entry `i` to the packet inside; anything else ends with length 0. */
  open(batch: Batch, i: number): void {
    const { counters, timing } = this.#context;
    const { bytes } = batch;
    const offset = batch.offset[i];
    const length = batch.length[i];
    batch.length[i] = 0;
    const keypair = this.#context.indices.get(readU32(bytes, offset + DATA_RECEIVER));
    if (!(keypair instanceof Keypair)) {
      counters.unknownIndex++;
      return;
    }
    if (keypair.expired(this.#context.now(), timing)) {
      counters.expiredKeys++;
      return;
    }
    const low = readU32(bytes, offset + DATA_COUNTER);
    const high = readU32(bytes, offset + DATA_COUNTER + 4);
    const at = offset + DATA_HEADER_BYTES;
    const sealed = length - DATA_HEADER_BYTES;
    if (!this.#context.primitives.aeadOpen(keypair.receiveKey, low, high, bytes, at, sealed, NO_AD)) {
      counters.badTag++;
      return;
    }
    // Only now: an unauthenticated counter must not move the window, a replay must not move the endpoint.
    if (!keypair.replay.accept(low, high)) {
      counters.replayed++;
      return;
    }
    keypair.hear(low, high);
    const inner = length - DATA_MIN_BYTES;
    const endpointAt = i * ENDPOINT_BYTES;
    const kind = probeKind(bytes, at, inner);
    const packets = inner > 0 && kind === 0 ? 1 : 0;
    keypair.peer.noteReceived(keypair, batch.endpoints, endpointAt, 1, length, packets);
    if (inner === 0) counters.keepalivesReceived++;
    else if (kind !== 0) keypair.peer.probed(kind, probeId(bytes, at), batch.endpoints, endpointAt);
    else this.#deliver(batch, i, at, inner, keypair.peer);
  }

  #deliver(batch: Batch, i: number, at: number, inner: number, peer: Peer): void {
    const { counters } = this.#context;
    const packet = ipLength(batch.bytes, at, inner);
    if (packet === 0) {
      counters.badPacket++;
      return;
    }
    if (this.#peers.routeSource(batch.bytes, at, packet) !== peer) {
      counters.wrongSource++;
      return;
    }
    batch.offset[i] = at;
    batch.length[i] = packet;
  }
}
