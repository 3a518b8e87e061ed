/** One message for `sendmsg`: what the control thread sends by itself. */

import { writeLocal, writeName, writeTrafficClass } from './endpoint';
import { controlOf, initVector, nameOf, setBuffer, setLengths } from './vector';

let vector: usize = 0;

/** `vectorAt` has room for a whole vector; the first message of it is used. */
export function initSingle(vectorAt: usize): void {
  vector = vectorAt;
  initVector(vector);
}

/**
 * Prepares the header at the vector's begin for `length` bytes at `data` to an endpoint record. False when UDP cannot
 * reach it. `trafficClass` 0 is what a socket sends by itself.
 */
export function prepareSingle(record: usize, data: usize, length: usize, trafficClass: u32): bool {
  const name = writeName(nameOf(vector, 0), record);
  if (name == 0) return false;
  const control = controlOf(vector, 0);
  let used = writeLocal(control, record);
  if (trafficClass != 0) used += writeTrafficClass(control + used, u32(load<u8>(record)), trafficClass);
  setBuffer(vector, 0, data, length);
  setLengths(vector, 0, name, used);
  return true;
}
