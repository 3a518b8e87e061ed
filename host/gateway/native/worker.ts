/** Entry of a lane's thread. */

import { parentPort, workerData } from 'node:worker_threads';
import { InwardLoop } from './inward-loop.js';
import { LaneThread } from './lane.js';
import type { LaneData, LaneMessage } from './lane-state.js';
import { loadLinux } from './linux.js';
import { OutwardLoop } from './outward-loop.js';

const port = parentPort;
if (port === null) throw new Error('this is no program of its own');
const data = workerData as LaneData;
const thread = new LaneThread(data, loadLinux(), port);
const loop = data.role === 'outward' ? new OutwardLoop(thread) : new InwardLoop(thread);
const ended = loop.run();
thread.close();
if (ended !== undefined) port.postMessage({ ended } satisfies LaneMessage);
