/** `npm run simulate:fleet -- 100000`: the story of a fleet in virtual time, and what it asked of its server. */

import { fleetStory } from './fleet.js';

const size = Number(process.argv[2] ?? 10_000);
const seed = Number(process.argv[3] ?? 1);
if (!Number.isInteger(size) || size < 1) throw new Error('give the number of gateways');
const started = performance.now();
console.log(`${size} gateways, seed ${seed}`);
const report = fleetStory({ size, seed, admitted: 500 }, (line) => console.log(line));
const memory = Math.round(process.memoryUsage.rss() / 1048576);
console.log(`took ${Math.round((performance.now() - started) / 1000)} s and ${memory} MiB`);
console.log(JSON.stringify(report));
