//! Small symmetric systems, as many unknowns as there are arms.

/// A square matrix, row by row.
pub(crate) type Matrix = Vec<Vec<f64>>;

pub(crate) fn zeros(size: usize) -> Matrix {
    vec![vec![0.0; size]; size]
}

/// The inverse of a symmetric, positive definite matrix by Cholesky's decomposition; none
/// when it is not positive definite.
pub(crate) fn inverse(matrix: &[Vec<f64>]) -> Option<Matrix> {
    let lower = cholesky(matrix)?;
    let size = matrix.len();
    // It is symmetric as well, so its columns are its rows.
    let column = |at| {
        let unit = (0..size).map(|row| if row == at { 1.0 } else { 0.0 });
        solve(&lower, unit.collect())
    };
    Some((0..size).map(column).collect())
}

pub(crate) fn times_vector(matrix: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, vector)).collect()
}

/// `left · right`, where `right` is symmetric.
pub(crate) fn times_symmetric(left: &[Vec<f64>], right: &[Vec<f64>]) -> Matrix {
    left.iter().map(|row| times_vector(right, row)).collect()
}

pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

fn cholesky(matrix: &[Vec<f64>]) -> Option<Matrix> {
    let size = matrix.len();
    let mut lower = zeros(size);
    for row in 0..size {
        for column in 0..=row {
            let known = dot(&lower[row][..column], &lower[column][..column]);
            let rest = matrix[row][column] - known;
            if row == column {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                lower[row][row] = rest.sqrt();
            } else {
                lower[row][column] = rest / lower[column][column];
            }
        }
    }
    Some(lower)
}

fn solve(lower: &[Vec<f64>], mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for row in 0..size {
        let known = dot(&lower[row][..row], &right[..row]);
        right[row] = (right[row] - known) / lower[row][row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|k| lower[k][row] * right[k]).sum();
        right[row] = (right[row] - known) / lower[row][row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let matrix = vec![
            vec![4.0, 1.0, 0.5],
            vec![1.0, 3.0, -1.0],
            vec![0.5, -1.0, 2.0],
        ];
        let product = times_symmetric(&matrix, &inverse(&matrix).unwrap());
        for (row, values) in product.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let expected = if row == column { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 1e-12, "{product:?}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_inverse() {
        assert!(inverse(&[vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
        assert!(inverse(&[vec![0.0]]).is_none());
    }
}
