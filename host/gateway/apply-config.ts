export { applyConfig } from '../../src/management/apply-config.js';
