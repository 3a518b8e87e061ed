import { describe, expect, it } from 'vitest';
import { nearestWord } from '../../src/config/suggestion.js';

const WORDS = ['Address', 'Endpoint', 'MTU', 'DNS', 'PreUp', 'PreDown'];

describe('nearestWord', () => {
  it.each([
    ['Adress', 'Address'],
    ['ENDPIONT', 'Endpoint'],
    ['MUT', 'MTU'],
    ['DSN', 'DNS'],
    ['PreDwon', 'PreDown'],
    ['preup', 'PreUp'],
    ['Endpoints', 'Endpoint'],
  ])('takes %s for %s', (word, expected) => {
    expect(nearestWord(word, WORDS)).toBe(expected);
  });

  it.each(['', 'x', 'M', 'XYZ', 'Gateway', 'e'.repeat(41)])('takes %s for nothing', (word) => {
    expect(nearestWord(word, WORDS)).toBeUndefined();
  });
});
