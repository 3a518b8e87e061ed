/** Every implementation of the primitives that runs here. One that is added to this list is tested like the rest. */

import { randomFillSync } from 'node:crypto';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { PortablePrimitives } from '../../src/crypto/portable.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { compiler, NATIVE_BUILDS, NativePrimitives } from '../boards/native-primitives.js';
import { KernelPrimitives } from '../gateway/kernel-primitives.js';
import { ReferencePrimitives } from './reference/primitives.js';

export interface Implementation {
  readonly name: string;
  make(): Primitives;
}

/** What the product uses. */
export const implementations: readonly Implementation[] = [
  { name: 'portable', make: () => new PortablePrimitives((out) => void randomFillSync(out)) },
  { name: 'node', make: () => new NodePrimitives() },
  { name: 'kernel', make: () => new KernelPrimitives() },
];

/** The slow one, written from the specifications for these tests: it has to pass the same vectors. */
export const reference: Implementation = { name: 'reference', make: () => new ReferencePrimitives() };

/** The boards' C, where there is a compiler for it. */
export const natives: readonly Implementation[] = compiler()
  ? NATIVE_BUILDS.map((build) => ({ name: build.name, make: () => new NativePrimitives(build) }))
  : [];

export const all: readonly Implementation[] = [...implementations, ...natives, reference];

export function implementation(name: string): Implementation {
  const found = all.find((candidate) => candidate.name === name);
  if (found !== undefined) return found;
  throw new Error(`no implementation is called ${name}; there are ${all.map((one) => one.name).join(', ')}`);
}
