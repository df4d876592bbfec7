/** The task that task-piscina.ts runs. */
export default (n: number): number => n;
