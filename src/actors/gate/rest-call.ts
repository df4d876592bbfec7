import type { ServerResponse } from 'node:http';
import type { Principal } from '../../protocol/principal.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { CallQuery, Query } from '../../protocol/query.ts';
import type { Accepted, ExecuteContext, Explain, HttpRequest, QueryResult } from '../storage/engine.ts';
import type { StagedRequest } from './hooks.ts';

/**
 * One request on its way through the stages, and what the engine is told of it. The AbortSignal is made when the
 * engine first asks for it: a plan that is answered at once never does, and a signal costs more than its parse.
 */
export class RestCall implements ExecuteContext, StagedRequest {
  readonly id: string;
  readonly project: ProjectHandle;
  readonly principal: Principal;
  readonly tenant: string;
  readonly deadline: number;
  readonly mayCall: boolean;
  readonly preRequest: string | undefined;
  readonly request: HttpRequest;
  readonly extraSearchPath: ProjectHandle['settings']['extraSearchPath'];
  accepts: Accepted | undefined = undefined;
  rollback = false;
  timezone: string | null = null;
  explain: Explain | undefined = undefined;
  query: Query | CallQuery | null = null;
  result: QueryResult | null = null;
  readonly #response: ServerResponse;
  #controller: AbortController | null = null;

  constructor(
    id: string,
    project: ProjectHandle,
    principal: Principal,
    deadline: number,
    response: ServerResponse,
    request: HttpRequest,
  ) {
    this.id = id;
    this.project = project;
    this.principal = principal;
    this.tenant = project.ref;
    this.deadline = deadline;
    this.preRequest = project.settings.preRequest;
    this.mayCall = project.settings.access === 'policies';
    this.request = request;
    this.extraSearchPath = project.settings.extraSearchPath;
    this.#response = response;
  }

  /** Aborted when the client goes away before its reply is written. */
  get signal(): AbortSignal {
    if (this.#controller !== null) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const response = this.#response;
    if (response.destroyed) controller.abort();
    else {
      response.once('close', () => {
        if (!response.writableFinished) controller.abort();
      });
    }
    return controller.signal;
  }
}
