import { portLinks } from '../../support/flow-links.ts';
import { creditContract } from './credit.ts';

creditContract(portLinks());
