/** What test/crypto/implementations.ts lists, as far as it exists without Node: the portable implementation. */

import { NodePrimitives } from './primitives.js';

export interface Implementation {
  readonly name: string;
  make(): NodePrimitives;
}

export const implementations: readonly Implementation[] = [
  { name: 'portable', make: () => new NodePrimitives() },
];
export const natives: readonly Implementation[] = [];
export const all = implementations;
export const reference = implementations[0];
