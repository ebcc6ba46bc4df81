"""The data that ``jaxmle demo`` fits.

``stackloss.csv``: 21 days of a plant that oxidises ammonia to nitric acid. ``stackloss`` is ten times the
percentage of the ammonia that escapes unabsorbed; ``airflow`` the rate of operation; ``watertemp`` the
temperature of the cooling water in the absorption tower; ``acidconc`` the concentration of the circulating
acid in per cent, minus 50, times 10.

Source: Brownlee (1965), "Statistical Theory and Methodology in Science and Engineering", 2nd edition, Wiley.
The numbers are those of ``statsmodels.datasets.stackloss`` in statsmodels 0.15, the names in lower case.

Licence: public domain, as statsmodels states it.
"""
