import type { Keypair, KeypairObserver } from '../../../src/wireguard/keypair.js';
import type { Kernel } from '../wasm/kernel.js';

/**
 * Keeps the kernel's key table in step with the device: a slot from the moment a key pair is installed until it is
 * erased. A pair that found no slot (`slot` stays -1) is served by the portable path for all its life, so that there
 * is one replay window for it and not two.
 */
export class KeySlots implements KeypairObserver {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  keypairInstalled(keypair: Keypair): void {
    keypair.slot = this.#kernel.takeSlot(keypair.sendKey, keypair.receiveKey, keypair.remoteIndex);
  }

  keypairErased(keypair: Keypair): void {
    if (keypair.slot < 0) return;
    this.#kernel.releaseSlot(keypair.slot);
    keypair.slot = -1;
  }
}
