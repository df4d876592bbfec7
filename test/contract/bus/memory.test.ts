import { busContract } from './suite.ts';

busContract('memory');
