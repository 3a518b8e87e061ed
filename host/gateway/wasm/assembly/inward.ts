/**
 * The receiving thread's one pass: from what `recvmmsg` brought to the delivery list. Every message is looked up,
 * opened, checked for replay and for its inner source, and merged with its neighbours. What is no data goes to the
 * control thread.
 */

import {
  FORWARD_UNKNOWN, LAST_SOURCE, RECEIVED_LIST, SLOT_IN_USE, SLOT_LIVE, SLOT_LOCAL_INDEX, SLOT_PEER, SLOT_RECEIVED,
  SLOT_REJECT_AT, SLOT_SOURCE, SLOT_SOURCE_TURN, SLOT_WAITS, SOURCE, at,
} from './layout';
import { BAD_TAG, MESSAGE_HEADER, MESSAGE_OVERHEAD, NOT_DATA, REPLAYED, openMessage } from './message';
import { IPV4_SOURCE, IPV6_SOURCE, ipLength } from './ip';
import { clearControl, copyRecord, readControl, readName, receivedClass, receivedLocal, receivedSegment, sameRecord } from './endpoint';
import { PEER_FOLLOWS, PEER_RECORD, writePeerEndpoint, writePeerSlot } from './peers';
import { peerAt, route, routesTurn } from './routes';
import { findSlot } from './indices';
import {
  CONTROL_BYTES, VECTOR_MESSAGES, bufferAt, controlLength, controlOf, initVector, isTruncated, nameOf, receivedLength,
  setBuffer, setLengths,
} from './vector';
import { RECORD_CONTENT, RECORD_ENDPOINT, RECORD_INDEX, claimRecord, commitRecord } from './ring';
import { callControl, note } from './notes';
import { deliver } from './coalesce';
import { takeOverEcn } from './ecn';
import {
  BAD_PACKETS, BAD_TAGS, BUFFERS_RECEIVED, COALESCED_BUFFERS, CONGESTION_DROPPED, CONTROL_FULL, EXPIRED_KEYS,
  KEEPALIVES, MALFORMED, PACKETS_DELIVERED, REPLAYS, UNKNOWN_INDEX, WRONG_SOURCE, count,
} from './counters';

const TYPE_INITIATION: u32 = 1;
const TYPE_RESPONSE: u32 = 2;
const TYPE_COOKIE_REPLY: u32 = 3;
const TYPE_DATA: u32 = 4;
const INITIATION_BYTES: usize = 148;
const RESPONSE_BYTES: usize = 92;
const COOKIE_REPLY_BYTES: usize = 64;

/** Kinds of records for the control thread. */
export const RECORD_DATAGRAM: u32 = 0;
/** The content of an authentic, new message that is no IP packet. */
export const RECORD_CONTENTS: u32 = 1;

/** Bytes that one receive can bring; also the distance of the buffers. */
export const BUFFER_BYTES: usize = 0x10000;
const NAME_BYTES: usize = 28;

let vector: usize = 0;
let ring: usize = 0;
let now: f64 = 0;

// The run of messages under one slot that is being gathered for its note. While it goes on the slot is not erased.
let slot: usize = 0;
let peer: usize = 0;
let index: u32 = 0;
let datagrams: u32 = 0;
let bytes: usize = 0;
let packets: u32 = 0;
/** Routes and slot that LAST_SOURCE was found under. */
let sourceTurn: u32 = 0;
let sourceSlot: usize = 0;

/** `buffers` has room for `VECTOR_MESSAGES` times BUFFER_BYTES. */
export function initInward(vectorAt: usize, buffers: usize, ringAt: usize): void {
  vector = vectorAt;
  ring = ringAt;
  initVector(vector);
  for (let i: u32 = 0; i < VECTOR_MESSAGES; i++) setBuffer(vector, i, buffers + usize(i) * BUFFER_BYTES, BUFFER_BYTES);
  prepareInward(VECTOR_MESSAGES);
}

/** Makes the first `messages` of the vector ready for the kernel. */
export function prepareInward(messages: u32): void {
  for (let i: u32 = 0; i < messages; i++) setLengths(vector, i, NAME_BYTES, CONTROL_BYTES);
}

/** Works on the first `messages` of the vector, received at monotonic ms `time`. Returns the bytes they had. */
export function inward(messages: u32, time: f64): usize {
  now = time;
  let total: usize = 0;
  for (let i: u32 = 0; i < messages; i++) {
    const length = receivedLength(vector, i);
    total += length;
    count(BUFFERS_RECEIVED, 1);
    if (isTruncated(vector, i)) {
      count(MALFORMED, 1);
      continue;
    }
    readControl(controlOf(vector, i), controlLength(vector, i));
    const source = at(SOURCE);
    const local = receivedLocal;
    // The run ends where the source does.
    readName(at(LAST_SOURCE) + 0x20, nameOf(vector, i), local);
    if (!sameRecord(at(LAST_SOURCE) + 0x20, source)) {
      finishRun();
      copyRecord(source, at(LAST_SOURCE) + 0x20);
    }
    const stride = receivedSegment == 0 || receivedSegment > length ? length : receivedSegment;
    if (stride < length) count(COALESCED_BUFFERS, 1);
    if (length == 0) count(MALFORMED, 1);
    const buffer = bufferAt(vector, i);
    for (let done: usize = 0; done < length; done += stride) message(buffer + done, min(stride, length - done));
  }
  finishRun();
  return total;
}

/** One datagram that came another way than by this vector, from the record at `from`. For the control thread. */
export function inwardOne(place: usize, length: usize, from: usize, time: f64): void {
  now = time;
  clearControl();
  copyRecord(at(SOURCE), from);
  message(place, length);
  finishRun();
}

function message(place: usize, length: usize): void {
  if (length < MESSAGE_OVERHEAD) {
    count(MALFORMED, 1);
    return;
  }
  const type = load<u32>(place);
  if (type == TYPE_DATA) data(place, length);
  else if ((type == TYPE_INITIATION && length == INITIATION_BYTES) || (type == TYPE_RESPONSE && length == RESPONSE_BYTES) ||
    (type == TYPE_COOKIE_REPLY && length == COOKIE_REPLY_BYTES)) {
    handOver(place, length, RECORD_DATAGRAM);
  } else count(MALFORMED, 1);
}

function data(place: usize, length: usize): void {
  const wanted = load<u32>(place + 4);
  if (slot == 0 || wanted != index) {
    finishRun();
    if (!beginRun(wanted)) {
      if (load<u32>(FORWARD_UNKNOWN) != 0) handOver(place, length, RECORD_DATAGRAM);
      else count(UNKNOWN_INDEX, 1);
      return;
    }
  }
  if (now > load<f64>(slot + SLOT_REJECT_AT)) {
    count(EXPIRED_KEYS, 1);
    return;
  }
  const opened = openMessage(place, length, slot);
  if (opened < 0) {
    if (opened == BAD_TAG) count(BAD_TAGS, 1);
    else if (opened == REPLAYED) count(REPLAYS, 1);
    else if (opened == NOT_DATA) count(MALFORMED, 1);
    return;
  }
  datagrams++;
  bytes += length;
  if (opened == 0) {
    count(KEEPALIVES, 1);
    return;
  }
  packets++;
  accept(place + MESSAGE_HEADER, usize(opened));
}

/** Delivers the packet if there is one, it comes from whom it may, and its marks fit. */
function accept(packet: usize, length: usize): void {
  const inner = ipLength(packet, length);
  if (inner == 0) {
    // Probes of our own kind are such; the control thread tells what else it was.
    packets--;
    handOver(packet, length, RECORD_CONTENTS);
    return;
  }
  if (!isFromPeer(packet)) {
    count(WRONG_SOURCE, 1);
    return;
  }
  if (!takeOverEcn(packet, receivedClass)) {
    count(CONGESTION_DROPPED, 1);
    return;
  }
  deliver(packet, inner);
  count(PACKETS_DELIVERED, 1);
}

/** Whether the inner source address is one of the peer's. The last answer is remembered. */
function isFromPeer(packet: usize): bool {
  const version = u32(load<u8>(packet) >> 4);
  const address = packet + (version == 4 ? IPV4_SOURCE : IPV6_SOURCE);
  const last = at(LAST_SOURCE);
  const found = version == 4 ? v128.load32_zero(address) : v128.load(address);
  const turn = routesTurn();
  if (sourceSlot == slot && sourceTurn == turn && load<u32>(last + 16) == version &&
    !v128.any_true(v128.xor(v128.load(last), found))) return true;
  if (route(address, version) != peer) return false;
  v128.store(last, found);
  store<u32>(last + 16, version);
  sourceSlot = slot;
  sourceTurn = turn;
  return true;
}

function beginRun(wanted: u32): bool {
  const found = findSlot(wanted);
  if (found == 0) return false;
  atomic.store<u32>(at(SLOT_IN_USE), u32(found));
  if (atomic.load<u32>(found + SLOT_LIVE) == 0 || load<u32>(found + SLOT_LOCAL_INDEX) != wanted) {
    atomic.store<u32>(at(SLOT_IN_USE), 0);
    return false;
  }
  slot = found;
  index = wanted;
  // A slot, a peer's number, a prefix: each may have been given to another since.
  sourceSlot = 0;
  peer = peerAt(load<u32>(found + SLOT_PEER));
  return true;
}

/** Notes what came under the slot at hand; the peer's endpoint follows, before anything of it is delivered. */
function finishRun(): void {
  if (slot == 0) return;
  if (datagrams != 0) noteRun();
  slot = 0;
  datagrams = 0;
  bytes = 0;
  packets = 0;
  atomic.store<u32>(at(SLOT_IN_USE), 0);
}

function noteRun(): void {
  const source = at(SOURCE);
  if (!sameRecord(slot + SLOT_SOURCE, source)) {
    // Several threads may receive under one slot: whoever finds the turn taken leaves it to the other.
    const turn = atomic.load<u32>(slot + SLOT_SOURCE_TURN);
    if ((turn & 1) == 0 && atomic.cmpxchg<u32>(slot + SLOT_SOURCE_TURN, turn, turn + 1) == turn) {
      copyRecord(slot + SLOT_SOURCE, source);
      atomic.store<u32>(slot + SLOT_SOURCE_TURN, turn + 2);
    }
  }
  note(slot, SLOT_RECEIVED, RECEIVED_LIST, now, datagrams, bytes, packets);
  if (peer != 0 && !sameRecord(peer + PEER_RECORD, source)) {
    if (load<u32>(peer + PEER_FOLLOWS) != 0) writePeerEndpoint(peer, source);
    callControl();
  }
  if (load<u32>(slot + SLOT_WAITS) != 0) {
    // The pair is proven: the answer to this very message goes under it (paper, section 5.4.3).
    store<u32>(slot + SLOT_WAITS, 0);
    if (peer != 0) writePeerSlot(peer, slot);
    callControl();
  }
}

function handOver(content: usize, length: usize, kind: u32): void {
  const record = claimRecord(ring, length, kind);
  if (record == 0) {
    count(CONTROL_FULL, 1);
    return;
  }
  copyRecord(record + RECORD_ENDPOINT, at(SOURCE));
  store<u32>(record + RECORD_INDEX, index);
  memory.copy(record + RECORD_CONTENT, content, length);
  commitRecord(ring);
  callControl();
}
