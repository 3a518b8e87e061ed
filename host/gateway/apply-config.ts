export { applyConfig } from '../../src/gateway/apply-config.js';
