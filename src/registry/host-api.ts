import type { Reference } from '../contract/brand.js';
import type { Repository } from './reference.js';

/** What some hosts manage by an API of their own, beside the distribution protocol. */
export interface HostApi {
  /**
   * Makes a repository that a push found missing.
   *
   * @returns false where that is not for us to do: pushes make repositories there, or we have no access to the API.
   * @throws FactoryError when it should have worked
   */
  createRepository(repository: Repository, signal?: AbortSignal): Promise<boolean>;
  /** Whether the host says beforehand that a tag, once there, can't be put again. False where it doesn't say. */
  keepsTag(reference: Reference, signal?: AbortSignal): Promise<boolean>;
}
