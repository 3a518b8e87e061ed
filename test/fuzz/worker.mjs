// Node 20 does not give tsx's loader to worker threads: it is registered here once more.
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
