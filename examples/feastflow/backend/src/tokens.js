// SPDX-License-Identifier: Apache-2.0
'use strict';

const jwt = require('jsonwebtoken');
const { unauthorized } = require('./errors');

const ISSUER = 'feastflow';

function createTokens({ secret, expiresIn }) {
  const issue = (user) => jwt.sign({ email: user.email }, secret, { algorithm: 'HS256', expiresIn, issuer: ISSUER, subject: String(user.id) });

  function verify(token) {
    try {
      const claims = jwt.verify(token, secret, { algorithms: ['HS256'], issuer: ISSUER });
      return { id: Number(claims.sub), email: claims.email };
    } catch (error) {
      throw unauthorized(error.name === 'TokenExpiredError' ? 'the login has expired, log in again' : 'the login token is not valid');
    }
  }

  // Middleware: req.user when a token is given; a wrong one is refused rather than ignored.
  function identify(req, _res, next) {
    const [scheme, token] = (req.get('authorization') || '').split(' ');
    if (scheme) {
      if (scheme.toLowerCase() !== 'bearer' || !token) {
        throw unauthorized('the Authorization header must be "Bearer TOKEN"');
      }
      req.user = verify(token);
    }
    next();
  }

  function requireUser(req, _res, next) {
    if (!req.user) {
      throw unauthorized('log in first');
    }
    next();
  }

  issue({ id: 0, email: '' }); // a malformed JWT_EXPIRES_IN fails here, at the start
  return { issue, verify, identify, requireUser };
}

module.exports = { createTokens };
