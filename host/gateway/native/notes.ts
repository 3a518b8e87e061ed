/** Tells the device what the threads have sent and received: see `wasm/assembly/notes.ts`. */

import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { Kernel } from '../wasm/kernel.js';
import type { SharedPair, SharedTables } from './shared-tables.js';

/** Tries to read a source while a thread writes it. */
const SOURCE_TRIES = 1000;

interface Note {
  readonly pair: SharedPair;
  readonly received: boolean;
  /** Monotonic ms. */
  readonly at: number;
  readonly datagrams: number;
  readonly bytes: number;
  readonly packets: number;
}

export class Notes {
  readonly #kernel: Kernel;
  readonly #tables: SharedTables;
  readonly #source = new Uint8Array(ENDPOINT_BYTES);

  constructor(kernel: Kernel, tables: SharedTables) {
    this.#kernel = kernel;
    this.#tables = tables;
  }

  /** True while there is something that was not told. */
  get waiting(): boolean {
    const { words } = this.#kernel;
    return (
      Atomics.load(words, this.#kernel.constant('SENT_LIST') >> 2) !== 0 ||
      Atomics.load(words, this.#kernel.constant('RECEIVED_LIST') >> 2) !== 0
    );
  }

  /** Tells everything noted since the last time, in the order in which it ended. Returns how many notes there were. */
  tell(): number {
    const notes: Note[] = [];
    this.#take(false, notes);
    this.#take(true, notes);
    // An answer clears what the question armed, so their order matters.
    notes.sort((a, b) => a.at - b.at);
    for (const note of notes) this.#tellOne(note);
    return notes.length;
  }

  #take(received: boolean, notes: Note[]): void {
    const kernel = this.#kernel;
    const list = kernel.constant(received ? 'RECEIVED_LIST' : 'SENT_LIST') >> 2;
    const place = kernel.constant(received ? 'SLOT_RECEIVED' : 'SLOT_SENT');
    const { words, doubles, longs } = kernel;
    const next = kernel.constant('NOTE_NEXT');
    let address = Atomics.exchange(words, list, 0) >>> 0;
    while (address !== 0) {
      const own = address + place;
      const slot = address / 64;
      address = words[(own + next) >> 2] >>> 0;
      // Before the numbers are read: what comes after them lists the slot again.
      Atomics.exchange(words, (own + kernel.constant('NOTE_LISTED')) >> 2, 0);
      const pair = this.#tables.pair(slot);
      if (pair === undefined) continue;
      const at = doubles[(own + kernel.constant('NOTE_AT')) >> 3];
      const first = received ? 3 : 0;
      const [datagrams, bytes, packets] = (['NOTE_DATAGRAMS', 'NOTE_BYTES', 'NOTE_PACKETS'] as const).map(
        (field, i) => {
          const now = Number(Atomics.load(longs, (own + kernel.constant(field)) >> 3));
          const since = now - pair.told[first + i];
          pair.told[first + i] = now;
          return since;
        },
      );
      notes.push({ pair, received, at, datagrams, bytes, packets });
    }
  }

  #tellOne({ pair, received, datagrams, bytes, packets }: Note): void {
    const { keypair } = pair;
    const { peer } = keypair;
    if (keypair.erased) {
      // Too late for timers, not for the count.
      if (received) peer.rxBytes += bytes;
      else peer.txBytes += bytes;
      return;
    }
    this.#tables.syncCounter(keypair);
    if (!received) {
      peer.noteSent(keypair, datagrams, bytes, packets);
      return;
    }
    const greatest = (this.#kernel.slotAddress(pair.slot) + this.#kernel.constant('SLOT_GREATEST')) >> 2;
    const { words } = this.#kernel;
    keypair.heard += datagrams;
    keypair.heardUpTo = (words[greatest + 1] >>> 0) * 0x1_0000_0000 + (words[greatest] >>> 0);
    this.#readSource(pair.slot);
    peer.noteReceived(keypair, this.#source, 0, datagrams, bytes, packets);
  }

  /** The endpoint record of the last message under the slot. */
  #readSource(slot: number): void {
    const kernel = this.#kernel;
    const address = kernel.slotAddress(slot);
    const turn = (address + kernel.constant('SLOT_SOURCE_TURN')) >> 2;
    const from = address + kernel.constant('SLOT_SOURCE');
    for (let tries = 0; tries < SOURCE_TRIES; tries++) {
      const before = Atomics.load(kernel.words, turn);
      if ((before & 1) !== 0) continue;
      this.#source.set(kernel.all.subarray(from, from + ENDPOINT_BYTES));
      if (Atomics.load(kernel.words, turn) === before) return;
    }
    // Family 0: the peer's endpoint stays as it is.
    this.#source.fill(0);
  }
}
