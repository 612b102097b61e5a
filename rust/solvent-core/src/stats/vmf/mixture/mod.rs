//! Mixtures of von Mises-Fisher distributions by expectation-maximisation (Banerjee, Dhillon, Ghosh & Sra, JMLR 6 (2005)
//! 1345): soft (their eqs. 4.2-4.4 with the exact concentration in place of 4.4) or hard, with one concentration each
//! or one for all.
//!
//! `rho_ij ~ w_j C(k_j) exp(k_j mu_j.x_i)`, `S_j = sum_i rho_ij x_i`, `N_j = sum_i rho_ij`, then
//! `w_j = N_j/n`, `mu_j = S_j/|S_j|`, `A_d(k_j) = |S_j|/N_j`. A sweep is one pass over the rows in blocks that stay in
//! L2: dots, log-sum-exp and the sums of the next step are formed while a block is there, and no n x k array exists.
//!
//! | room | what lives there |
//! |---|---|
//! | [`problem`] | the rows, their scale and weights, validated |
//! | [`options`] | what the caller chooses |
//! | [`model`] | weights, means, concentrations |
//! | [`init`] | the first model: k-means++ on 1 - cos, random rows, given means |
//! | [`expectation`] | S_j, N_j and the log-likelihood under a model; posteriors where they are asked for |
//! | [`step`] | from S_j, N_j to the next model |
//! | [`solve`] | the loop |
//! | [`certify`] | how far one more sweep would move the model |

pub mod certify;
pub mod expectation;
pub mod init;
pub mod model;
pub mod options;
pub mod problem;
pub mod solve;
pub mod step;
