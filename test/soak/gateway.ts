/**
 * A gateway as `cloudbridge-gateway up` runs it, but with shorter intervals than the paper's, which no option of the
 * program can set: `gateway.ts FILE NAME TIER STATE-DIRECTORY TIMING-AS-JSON`.
 */
import { run } from '../../host/gateway/commands/run.js';
import { readConfiguration } from '../../host/gateway/configuration.js';
import type { TierChoice } from '../../host/gateway/request.js';
import { uapiDirectory } from '../../host/gateway/uapi-path.js';

const [file, interfaceName, tier, stateDirectory, timing] = process.argv.slice(2);
process.exitCode = await run({
  interfaceName,
  configuration: readConfiguration(file),
  uapiDirectory: uapiDirectory(),
  stateDirectory,
  listenAddress: undefined,
  mode: 'tun',
  tier: tier as TierChoice,
  forwards: [],
  exposes: [],
  limits: {},
  timing: JSON.parse(timing),
  logFormat: 'json',
  logLevel: 'warn',
  failAfter: undefined,
});
process.exit();
