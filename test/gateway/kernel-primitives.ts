import { NodePrimitives } from '../../host/gateway/crypto.js';
import { KernelAead } from '../../host/gateway/wasm/aead.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { makeKernel } from './built-kernel.js';

/** The Node host's primitives with both AEADs by the WebAssembly kernel: what the shared vectors are put to. */
export class KernelPrimitives extends NodePrimitives implements Primitives {
  override readonly name: string = 'kernel';
  readonly #aead = new KernelAead(makeKernel());
  override aeadSeal: Primitives['aeadSeal'] = this.#aead.aeadSeal.bind(this.#aead);
  override aeadOpen: Primitives['aeadOpen'] = this.#aead.aeadOpen.bind(this.#aead);
  override xaeadSeal: Primitives['xaeadSeal'] = this.#aead.xaeadSeal.bind(this.#aead);
  override xaeadOpen: Primitives['xaeadOpen'] = this.#aead.xaeadOpen.bind(this.#aead);
}
