# A script: run it with  sh /demo.sh
echo "the first line:"
head -1 /welcome.txt
echo "lines, words and bytes of both files:"
cat /welcome.txt /demo.sh | wc
