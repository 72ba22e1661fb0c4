# What gcc 12.2 -O2 -march=rv64i makes of sieve.c, and an end to return to.
	.text
	.align	2
	.globl	count_primes
	.type	count_primes, @function
count_primes:
	li	a5,2
	mv	a2,a0
	ble	a1,a5,.L7
	li	a7,4
	li	a4,2
	li	a0,0
	li	a6,1
	j	.L6
.L3:
	addi	a4,a4,1
	addi	a7,a7,2
	beq	a1,a4,.L11
.L6:
	add	a5,a2,a4
	lbu	a5,0(a5)
	bne	a5,zero,.L3
	addi	a0,a0,1
	mv	a5,a7
	ble	a1,a7,.L3
.L5:
	add	a3,a2,a5
	sb	a6,0(a3)
	add	a5,a5,a4
	bgt	a1,a5,.L5
	addi	a4,a4,1
	addi	a7,a7,2
	bne	a1,a4,.L6
.L11:
	ret
.L7:
	li	a0,0
	ret
	.size	count_primes, .-count_primes
	.globl	done
done:
	ebreak
