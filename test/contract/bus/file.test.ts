import { busContract } from './suite.ts';

busContract('file');
