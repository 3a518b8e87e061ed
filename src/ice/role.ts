/** Who controls, and what happens when both sides or neither believe they do (RFC 8445 sections 6.1.1 and 7.3.1.1). */

import { compareTieBreaker } from './check-messages.js';
import { ICE_CONTROLLED, ICE_CONTROLLING, STUN_HEADER_BYTES } from './stun-constants.js';
import type { StunView } from './stun-view.js';

export class IceRole {
  controlling: boolean;
  readonly tieBreaker = new Uint8Array(8);
  /** Conflicts noticed. */
  conflicts = 0;

  constructor(controlling: boolean, random: (out: Uint8Array) => void) {
    this.controlling = controlling;
    random(this.tieBreaker);
  }

  /** What a request says about roles: 'ours' the other side has to change its own, 'theirs' we have to. */
  conflict(request: StunView): 'none' | 'ours' | 'theirs' {
    if (!request.findSized(this.controlling ? ICE_CONTROLLING : ICE_CONTROLLED, 8)) return 'none';
    this.conflicts++;
    const greater = compareTieBreaker(request, this.tieBreaker) <= 0;
    return greater === this.controlling ? 'ours' : 'theirs';
  }

  /** Whether a request of ours said that we control. */
  static controlledBy(request: Uint8Array, length: number): boolean {
    for (let at = STUN_HEADER_BYTES; at + 4 <= length; ) {
      if (((request[at] << 8) | request[at + 1]) === ICE_CONTROLLING) return true;
      at += 4 + ((((request[at + 2] << 8) | request[at + 3]) + 3) & ~3);
    }
    return false;
  }
}
