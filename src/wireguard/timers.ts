/**
 * The timers of a peer (paper, section 6). Each is one deadline, Infinity when off. Events on the packet path
 * only store numbers; `fire` is called when the earliest deadline may be due.
 */

import type { Timing } from './constants.js';
import type { Scheduled } from './deadline-heap.js';
import type { Limits } from './limits.js';

/** What happens when a timer goes off; the peer implements it. */
export interface TimerActions {
  /** Send another initiation: the last one was not answered. */
  retransmitHandshake(): void;
  /** Rekey-Attempt-Time is over without an answer. */
  giveUpHandshake(): void;
  /** Nothing was heard for a while after data was sent: suspect the session. */
  suspectSession(): void;
  sendKeepalive(): void;
  eraseKeys(): void;
}

export interface TimerHost {
  /** Monotonic ms. */
  now(): number;
  /** A random delay of 0 to the given number of ms. */
  jitter(most: number): number;
  schedule(timers: PeerTimers, at: number): void;
  readonly timing: Timing;
  readonly limits: Limits;
}

export class PeerTimers implements Scheduled {
  filedAt = 0;
  heapIndex = -1;
  /** Seconds; 0 is off. */
  persistentKeepalive = 0;
  /** Retransmissions since somebody last wanted to send. */
  attempts = 0;
  readonly #host: TimerHost;
  readonly #actions: TimerActions;
  #retransmit = Infinity;
  #newHandshake = Infinity;
  #passiveKeepalive = Infinity;
  #needAnotherKeepalive = false;
  #persistent = Infinity;
  #eraseKeys = Infinity;

  constructor(host: TimerHost, actions: TimerActions) {
    this.#host = host;
    this.#actions = actions;
  }

  get handshakePending(): boolean {
    return this.#retransmit !== Infinity;
  }

  /** A message with a packet inside was sent: the other end must show a sign of life in time. */
  dataSent(): void {
    if (this.#newHandshake !== Infinity) return;
    const { keepaliveTimeout, rekeyTimeout } = this.#host.timing;
    const { rekeyJitter } = this.#host.limits;
    this.#newHandshake = this.#arm(keepaliveTimeout + rekeyTimeout + this.#host.jitter(rekeyJitter));
  }

  /** A message with a packet inside came: if we have nothing to send meanwhile, a keepalive must. */
  dataReceived(): void {
    if (this.#passiveKeepalive === Infinity) {
      this.#passiveKeepalive = this.#arm(this.#host.timing.keepaliveTimeout);
    } else {
      this.#needAnotherKeepalive = true;
    }
  }

  /** Any authenticated message was sent: data, keepalive or handshake. */
  authenticatedSent(): void {
    this.#passiveKeepalive = Infinity;
    this.#needAnotherKeepalive = false;
    this.#restartPersistent();
  }

  authenticatedReceived(): void {
    this.#newHandshake = Infinity;
    this.#restartPersistent();
  }

  handshakeInitiated(): void {
    this.#retransmit = this.#arm(
      this.#host.timing.rekeyTimeout + this.#host.jitter(this.#host.limits.rekeyJitter),
    );
  }

  handshakeComplete(): void {
    this.#retransmit = Infinity;
    this.attempts = 0;
  }

  /** New transport keys exist: they and all before them are erased unless renewed within three reject times. */
  sessionDerived(): void {
    this.#eraseKeys = this.#arm(this.#host.timing.rejectAfterTime * 3);
  }

  /** Sets the interval in seconds, 0 for off. True when it was off and now is on. */
  setPersistentKeepalive(seconds: number): boolean {
    const turnedOn = this.persistentKeepalive === 0 && seconds > 0;
    this.persistentKeepalive = seconds;
    this.#persistent = Infinity;
    this.#restartPersistent();
    return turnedOn;
  }

  stop(): void {
    this.#retransmit = this.#newHandshake = this.#passiveKeepalive = Infinity;
    this.#persistent = this.#eraseKeys = Infinity;
    this.#needAnotherKeepalive = false;
    this.attempts = 0;
  }

  /** Runs what is due and files itself again for what is not. */
  fire(now: number): void {
    if (now >= this.#retransmit) this.#fireRetransmit();
    if (now >= this.#passiveKeepalive) this.#firePassiveKeepalive();
    if (now >= this.#newHandshake) {
      this.#newHandshake = Infinity;
      this.#actions.suspectSession();
    }
    if (now >= this.#eraseKeys) {
      this.#eraseKeys = Infinity;
      this.#actions.eraseKeys();
    }
    if (now >= this.#persistent) {
      this.#persistent = Infinity;
      this.#actions.sendKeepalive();
      // Without a session nothing was sent that restarts it; it goes on asking.
      if (this.#persistent === Infinity) this.#restartPersistent();
    }
    const next = this.#earliest();
    if (next !== Infinity) this.#host.schedule(this, next);
  }

  #fireRetransmit(): void {
    this.#retransmit = Infinity;
    const { rekeyAttemptTime, rekeyTimeout } = this.#host.timing;
    if (this.attempts >= Math.floor(rekeyAttemptTime / rekeyTimeout)) {
      this.attempts = 0;
      // The keys of the dead session, if any, are not kept for ever.
      if (this.#eraseKeys === Infinity) this.sessionDerived();
      this.#passiveKeepalive = Infinity;
      this.#actions.giveUpHandshake();
      return;
    }
    this.attempts++;
    this.#actions.retransmitHandshake();
  }

  #firePassiveKeepalive(): void {
    this.#passiveKeepalive = Infinity;
    // Sending clears it: whatever came before has then been answered.
    const needAnother = this.#needAnotherKeepalive;
    this.#actions.sendKeepalive();
    if (needAnother) {
      this.#needAnotherKeepalive = false;
      this.#passiveKeepalive = this.#arm(this.#host.timing.keepaliveTimeout);
    }
  }

  #restartPersistent(): void {
    if (this.persistentKeepalive > 0) this.#persistent = this.#arm(this.persistentKeepalive * 1000);
  }

  #arm(delay: number): number {
    const at = this.#host.now() + delay;
    this.#host.schedule(this, at);
    return at;
  }

  #earliest(): number {
    return Math.min(
      this.#retransmit,
      this.#newHandshake,
      this.#passiveKeepalive,
      this.#persistent,
      this.#eraseKeys,
    );
  }
}
