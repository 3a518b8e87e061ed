// biome-ignore lint/style/useNodejsImportProtocol: the SDK's module
import Net from 'net';
import type { Resolver } from '../../../src/ports.js';
import { type Edge, messageOf } from '../../xs/edge.js';

type Done = (addresses: readonly string[], error: string | undefined) => void;

/** lwIP's names: one address an answer, IPv4 before IPv6. */
export class LwipResolver implements Resolver {
  readonly #edge: Edge;

  constructor(edge: Edge) {
    this.#edge = edge;
  }

  resolve(name: string, done: Done): void {
    try {
      Net.resolve(name, (_name, address) => this.#answered(done, address));
    } catch (error) {
      // lwIP takes only a few look-ups at a time.
      done([], messageOf(error));
    }
  }

  #answered(done: Done, address: string | undefined): void {
    try {
      if (address === undefined) done([], 'the name has no address');
      else done([address], undefined);
    } catch (error) {
      this.#edge.caught('resolver', error);
    }
  }
}
