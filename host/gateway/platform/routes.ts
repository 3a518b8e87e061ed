export { familyOf, MAIN_TABLE, planRoutes, type RoutePlan } from '../../../src/router/routes.js';
