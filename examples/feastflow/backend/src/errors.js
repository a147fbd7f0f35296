// SPDX-License-Identifier: Apache-2.0
'use strict';

// An error that the client may see: everything else is answered as a plain 500.
class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const invalid = (message) => new ApiError(400, 'invalid', message);
const unauthorized = (message) => new ApiError(401, 'unauthorized', message);
const notFound = (message) => new ApiError(404, 'not_found', message);
const conflict = (message) => new ApiError(409, 'conflict', message);
const unavailable = (message) => new ApiError(503, 'unavailable', message);

module.exports = { ApiError, invalid, unauthorized, notFound, conflict, unavailable };
