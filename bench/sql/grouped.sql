SELECT CAST(count(*) AS float) / greatest(count(DISTINCT CAST(xmin AS text)), 1) FROM captures WHERE filename >= $1 AND filename < $2
