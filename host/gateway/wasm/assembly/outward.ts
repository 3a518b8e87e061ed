/**
 * The sending thread's one pass: from a frame of TUN to messages for `sendmmsg`, one for each run of datagrams that go
 * to one peer and have one length. Packets that follow each other closely share a run, whatever frame they came in.
 */

import {
  MTU, SENT_LIST, SLOT_COUNTER, SLOT_IN_USE, SLOT_LIVE, SLOT_PEER, SLOT_REJECT_AT, SLOT_SENT, at,
} from './layout';
import { segmentLength, takeFrame, writeSegment } from './segment';
import { MESSAGE_HEADER, MESSAGE_OVERHEAD, paddedLength, sealMessage } from './message';
import { RUN_BYTES, RUN_SEGMENTS } from './send';
import { VNET_BYTES } from './virtio';
import { IPV4_SOURCE, IPV6_SOURCE } from './ip';
import { peerAt, route } from './routes';
import {
  PEER_CONTROL, PEER_CONTROL_LENGTH, PEER_FAMILY, PEER_NAME, PEER_NAME_LENGTH, PEER_SLOT, PEER_TURN, TURN_TRIES,
} from './peers';
import { FAMILY_IPV4, FAMILY_IPV6, FAMILY_NONE, writeSegmentSize, writeTrafficClass } from './endpoint';
import {
  VECTOR_BYTES, VECTOR_MESSAGES, controlOf, initVector, nameOf, setBuffer, setLengths, setOwner,
} from './vector';
import { RECORD_CONTENT, claimRecord, commitRecord } from './ring';
import { callControl, note } from './notes';
import { outerClass } from './ecn';
import { BAD_FRAMES, CONTROL_FULL, FRAMES_READ, NO_ENDPOINT, NO_ROUTE, PACKETS_CUT, TOO_LARGE, count } from './counters';

/** Reject-After-Messages of the WireGuard paper, section 6.1. */
const REJECT_AFTER_MESSAGES: u64 = 0xffff_ffff_ffff_dfff;

/** What `outward` and `goOutward` say: everything is in runs; first the runs have to be sent. */
export const OUTWARD_DONE: i32 = 0;
export const OUTWARD_FULL: i32 = 1;

// Given by the host: two vectors one behind the other (IPv4, IPv6), room for messages, the queue to the control thread.
let vectors: usize = 0;
let room: usize = 0;
let roomBytes: usize = 0;
let ring: usize = 0;

let now: f64 = 0;
let used: usize = 0;
let count4: u32 = 0;
let count6: u32 = 0;

// The frame at hand.
let packet: usize = 0;
let segments: u32 = 0;
let next: u32 = 0;

// The run at hand: the last message of its family's vector while `runOpen`.
let runOpen: bool = false;
let runPeer: usize = 0;
let runTurn: u32 = 0;
let runSlot: usize = 0;
let runFamily: u32 = 0;
let runIndex: u32 = 0;
let runStart: usize = 0;
let runBytes: usize = 0;
let runStride: usize = 0;
let runCount: u32 = 0;
let runClass: u32 = 0;
let runControl: usize = 0;

@inline
function vectorOf(family: u32): usize {
  return family == FAMILY_IPV4 ? vectors : vectors + VECTOR_BYTES;
}

export function initOutward(vectorsAt: usize, roomAt: usize, roomLength: usize, ringAt: usize): void {
  vectors = vectorsAt;
  room = roomAt;
  roomBytes = roomLength;
  ring = ringAt;
  initVector(vectors);
  initVector(vectors + VECTOR_BYTES);
  clearOutward();
}

/** Everything in the vectors was sent. */
export function clearOutward(): void {
  used = 0;
  count4 = 0;
  count6 = 0;
  runOpen = false;
}

/** Bytes that wait to be sent. */
export function outwardBytes(): usize {
  return used;
}

/** Completes the run at hand; messages in the vector of this family (4 or 6). */
export function finishOutward(family: u32): u32 {
  closeRun();
  return family == FAMILY_IPV4 ? count4 : count6;
}

/** Takes up a frame, `length` bytes with its virtio header, at monotonic ms `time`. */
export function outward(frame: usize, length: usize, time: f64): i32 {
  now = time;
  count(FRAMES_READ, 1);
  const found = takeFrame(frame, length);
  if (found < 0) {
    count(BAD_FRAMES, 1);
    return OUTWARD_DONE;
  }
  packet = frame + VNET_BYTES;
  segments = u32(found);
  next = 0;
  count(PACKETS_CUT, usize(segments));
  return goOutward();
}

/** Goes on with the frame taken up last, after the runs were sent. */
export function goOutward(): i32 {
  if (next >= segments) return OUTWARD_DONE;
  const version = u32(load<u8>(packet) >> 4);
  const peer = route(packet + (version == 4 ? IPV4_SOURCE + 4 : IPV6_SOURCE + 16), version);
  if (peer == 0) {
    count(NO_ROUTE, usize(segments - next));
    return OUTWARD_DONE;
  }
  const slot = usize(load<u32>(peer + PEER_SLOT));
  if (slot == 0 || !holdSlot(slot, peer)) {
    handOver();
    return OUTWARD_DONE;
  }
  const result = sealInto(peer, slot);
  atomic.store<u32>(at(SLOT_IN_USE), 0);
  return result;
}

/** Keeps the control thread from erasing the slot; false when it has begun to, or the keys are too old. */
function holdSlot(slot: usize, peer: usize): bool {
  atomic.store<u32>(at(SLOT_IN_USE), u32(slot));
  // The slot may have been given to another peer since its number was read.
  if (atomic.load<u32>(slot + SLOT_LIVE) != 0 && peerAt(load<u32>(slot + SLOT_PEER)) == peer &&
    now <= load<f64>(slot + SLOT_REJECT_AT)) return true;
  atomic.store<u32>(at(SLOT_IN_USE), 0);
  return false;
}

function sealInto(peer: usize, slot: usize): i32 {
  const mtu = usize(load<u32>(MTU));
  const outer = outerClass(packet);
  while (next < segments) {
    const message = paddedLength(segmentLength(next), mtu) + MESSAGE_OVERHEAD;
    if (message > RUN_BYTES) {
      count(TOO_LARGE, usize(segments - next));
      return OUTWARD_DONE;
    }
    if (!fits(peer, slot, message, outer)) {
      closeRun();
      const begun = beginRun(peer, slot, message, outer);
      if (begun != RUN_BEGUN) {
        if (begun == RUN_NO_ROOM) return OUTWARD_FULL;
        if (begun == RUN_NO_ENDPOINT) count(NO_ENDPOINT, usize(segments - next));
        else handOver();
        return OUTWARD_DONE;
      }
    }
    // All but the last segment of a frame are of one length.
    const left = min(RUN_BYTES - runBytes, roomBytes - used) / runStride;
    let chunk = min(min(segments - next, RUN_SEGMENTS - runCount), u32(left));
    if (message < runStride) chunk = 1;
    if (!seal(slot, chunk, mtu)) {
      handOver();
      return OUTWARD_DONE;
    }
  }
  return OUTWARD_DONE;
}

/** Whether the next message may go behind those of the run at hand. */
function fits(peer: usize, slot: usize, message: usize, outer: u32): bool {
  return runOpen && runPeer == peer && runSlot == slot && runClass == outer && message <= runStride &&
    (message == runStride || next + 1 == segments) && runCount < RUN_SEGMENTS && runBytes + runStride <= RUN_BYTES &&
    used + runStride <= roomBytes && runTurn == atomic.load<u32>(peer + PEER_TURN);
}

const RUN_BEGUN: u32 = 0;
const RUN_NO_ROOM: u32 = 1;
const RUN_NO_ENDPOINT: u32 = 2;
const RUN_NOT_OURS: u32 = 3;

function beginRun(peer: usize, slot: usize, message: usize, outer: u32): u32 {
  for (let tries: u32 = 0; tries < TURN_TRIES; tries++) {
    const turn = atomic.load<u32>(peer + PEER_TURN);
    if ((turn & 1) != 0) continue;
    const family = load<u32>(peer + PEER_FAMILY);
    if (family == FAMILY_NONE) return RUN_NO_ENDPOINT;
    if (family != FAMILY_IPV4 && family != FAMILY_IPV6) return RUN_NOT_OURS;
    const index = family == FAMILY_IPV4 ? count4 : count6;
    used = (used + 15) & ~15;
    if (index == VECTOR_MESSAGES || used + message > roomBytes) return RUN_NO_ROOM;
    const vector = vectorOf(family);
    const name = nameOf(vector, index);
    const control = controlOf(vector, index);
    v128.store(name, v128.load(peer + PEER_NAME));
    v128.store(name + 16, v128.load(peer + PEER_NAME + 16));
    const nameLength = usize(load<u32>(peer + PEER_NAME_LENGTH));
    let length = usize(load<u32>(peer + PEER_CONTROL_LENGTH));
    v128.store(control, v128.load(peer + PEER_CONTROL));
    v128.store(control + 16, v128.load(peer + PEER_CONTROL + 16));
    store<u64>(control + 32, load<u64>(peer + PEER_CONTROL + 32));
    if (atomic.load<u32>(peer + PEER_TURN) != turn) continue;
    if (length > 40) length = 0;
    if (outer != 0) length += writeTrafficClass(control + length, family, outer);
    setLengths(vector, index, nameLength, length);
    setOwner(vector, index, peer);
    if (family == FAMILY_IPV4) count4++;
    else count6++;
    runOpen = true;
    runPeer = peer;
    runTurn = turn;
    runSlot = slot;
    runFamily = family;
    runIndex = index;
    runStart = room + used;
    runBytes = 0;
    runStride = message;
    runCount = 0;
    runClass = outer;
    runControl = length;
    return RUN_BEGUN;
  }
  return RUN_NOT_OURS;
}

/** The run is complete: a run of several datagrams tells the kernel where to cut. */
function closeRun(): void {
  if (!runOpen) return;
  runOpen = false;
  const vector = vectorOf(runFamily);
  setBuffer(vector, runIndex, runStart, runBytes);
  if (runCount < 2) return;
  const nameLength = runFamily == FAMILY_IPV4 ? 16 : 28;
  const length = runControl + writeSegmentSize(controlOf(vector, runIndex) + runControl, runStride);
  setLengths(vector, runIndex, nameLength, length);
}

/** Seals `chunk` segments into the run. False, and nothing done, when the pair has no counters left. */
function seal(slot: usize, chunk: u32, mtu: usize): bool {
  let counter = takeCounters(slot, chunk);
  if (counter == REJECT_AFTER_MESSAGES) return false;
  const before = runBytes;
  let bytes: usize = 0;
  for (let i: u32 = 0; i < chunk; i++) {
    const length = segmentLength(next);
    const place = runStart + runBytes;
    writeSegment(next, place + MESSAGE_HEADER);
    bytes = sealMessage(place, length, paddedLength(length, mtu), slot, u32(counter), u32(counter >> 32));
    runBytes += bytes;
    counter++;
    next++;
  }
  runCount += chunk;
  used = runStart + runBytes - room;
  note(slot, SLOT_SENT, SENT_LIST, now, chunk, runBytes - before, chunk);
  // A shorter datagram can only be a run's last.
  if (bytes < runStride || runCount == RUN_SEGMENTS) closeRun();
  return true;
}

/** The first of `n` counters that are nobody else's, or REJECT_AFTER_MESSAGES. */
export function takeCounters(slot: usize, n: u32): u64 {
  let first = atomic.load<u64>(slot + SLOT_COUNTER);
  while (true) {
    if (first >= REJECT_AFTER_MESSAGES || REJECT_AFTER_MESSAGES - first < u64(n)) return REJECT_AFTER_MESSAGES;
    const found = atomic.cmpxchg<u64>(slot + SLOT_COUNTER, first, first + u64(n));
    if (found == first) return first;
    first = found;
  }
}

/** What is left of the frame goes to the control thread, packet by packet: it starts a handshake and keeps them. */
function handOver(): void {
  for (; next < segments; next++) {
    const length = segmentLength(next);
    const record = claimRecord(ring, length, 0);
    if (record == 0) {
      count(CONTROL_FULL, usize(segments - next));
      next = segments;
      break;
    }
    writeSegment(next, record + RECORD_CONTENT);
    commitRecord(ring);
  }
  callControl();
}
