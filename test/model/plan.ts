/** What a tree of supervisors is to be made of, for the model and for the runtime alike. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic';
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

export interface SupervisorPlan {
  readonly strategy: Strategy;
  /** More than `max` restarts within `within` milliseconds and it gives up. */
  readonly max: number;
  readonly within: number;
  readonly autoShutdown: AutoShutdown;
  readonly children: readonly Plan[];
}

export interface Plan {
  readonly id: string;
  readonly restart: 'permanent' | 'transient' | 'temporary';
  readonly significant: boolean;
  /** Milliseconds before each restart of it; 0: at once. */
  readonly delay: number;
  /** It is killed when its supervisor stops it, and so says nothing. */
  readonly brutal: boolean;
  /** Null for a worker. */
  readonly supervisor: SupervisorPlan | null;
}
