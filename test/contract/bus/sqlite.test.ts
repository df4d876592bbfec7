import { busContract } from './suite.ts';

busContract('sqlite');
