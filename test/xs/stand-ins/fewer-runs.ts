import fc from 'fast-check';

// An interpreter does in a minute what Node does in a second; Node has tried the other cases.
fc.configureGlobal({ numRuns: 15 });
